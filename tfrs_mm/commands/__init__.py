"""One file for each command of `tfrs-mm`: its arguments, and the calls they turn into."""
