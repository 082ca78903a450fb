"""A module for each kind of fault; every function in here that `@scenario` names is played."""
