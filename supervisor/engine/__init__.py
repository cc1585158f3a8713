"""The pure core: dependency graph, transactions, jobs, life cycles, restart policy, deadlines. No I/O, no clock, no chance.

    requests, reports, time  ->  Engine.handle(event, now)  ->  effects
                                    |        \\
                             records (JSON)   next_deadline()

Who decides what: transaction (which jobs a wish needs), jobs (whose turn it is), verbs (what start and stop mean now),
lifecycle (which state follows), exits / timeouts / notifications / probing (what happens in a state), restart (again, and
when), reactions (what it means for others), explain and show (what is said of it).
"""

from supervisor.engine.engine import Engine

__all__ = ["Engine"]
