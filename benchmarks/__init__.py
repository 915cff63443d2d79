"""What Tocsin does in a second, measured from outside: real processes, a real database, real SMTP.

What comes in: wishes typed after `tocsin bench`. What goes out: figures, beside yardsticks taken in the same
run, and whether every message arrived exactly once. Everything is temporary. It enters the house by the
front door (`service.running`, the database, the wire) and nothing but `service`'s command comes in here.
"""

from benchmarks.plan import SendPlan

__all__ = ["SendPlan"]
