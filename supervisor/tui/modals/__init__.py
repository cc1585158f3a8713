"""What stands over a view until it is answered."""
