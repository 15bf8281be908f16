"""Plans that wait their turn: an RE Manager with its Redis, and a supervisor that holds what has failed."""
