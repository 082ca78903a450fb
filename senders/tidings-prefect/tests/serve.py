"""Deployments, served by this process until it is ended; each run has a process of its own, as with any worker."""

from flows import good, hooked
from prefect import serve

if __name__ == "__main__":
    tags = ["owner:bo@example.com"]
    serve(good.to_deployment("production", tags=tags), hooked.to_deployment("production", tags=tags))
