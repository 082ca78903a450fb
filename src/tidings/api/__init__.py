"""The rim over HTTP: the REST calls of the outside contract."""
