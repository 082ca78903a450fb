"""`make bench`: what is measured, and how it is asked for."""

import argparse
import sys

from bench import buses, fairness, growth, pages, peers, publish, steps, whole_way


def main() -> int:
    arguments = argparse.ArgumentParser(prog="make bench")
    arguments.add_argument("--events", type=int, default=whole_way.EVENTS, help="events a load")
    arguments.add_argument("--past", type=int, default=growth.PAST, help="with --growth: events, in thousands of four")
    arguments.add_argument("--json", action="store_true")
    instead = arguments.add_mutually_exclusive_group()
    instead.add_argument("--growth", action="store_true", help="a large and old organisation instead")
    instead.add_argument("--pages", action="store_true", help="the console's pages instead")
    instead.add_argument("--peers", action="store_true", help="beside Alertmanager, and Celery with Redis")
    instead.add_argument("--buses", action="store_true", help="out of a message bus, to durable")
    instead.add_argument("--fairness", action="store_true", help="what others notice of one that is too busy")
    instead.add_argument("--steps", action="store_true", help="what the node's Python costs an event, step by step")
    instead.add_argument(
        "--publish",
        nargs="*",
        metavar="SECTION",
        help="everything, written into docs/performance.md; or these sections",
    )
    chosen = arguments.parse_args()
    if chosen.growth:
        return growth.run(chosen.past)
    if chosen.pages:
        return pages.run()
    if chosen.peers:
        return peers.run()
    if chosen.buses:
        return buses.run()
    if chosen.fairness:
        return fairness.run()
    if chosen.steps:
        return steps.run()
    if chosen.publish is not None:
        return publish.run(chosen.publish)
    return whole_way.run(chosen.events, as_json=chosen.json)


if __name__ == "__main__":
    sys.exit(main())
