"""Values shared by every layer: names, quantities, specifications, states, events, effects, errors. No I/O."""
