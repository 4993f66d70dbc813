"""What `wfops dev` runs on: the embedded database and the process supervisor."""
