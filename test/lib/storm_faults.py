"""The faults of a storm. Each is a context: it strikes when entered, and is over when left."""

import contextlib
import signal


class Fault:
    """Of one counterpart at a time there is one fault."""

    def __init__(self, name, subject, weight, context):
        self.name, self.subject, self.weight, self.context = name, subject, weight, context


def lasting(strike, heal):
    @contextlib.contextmanager
    def context(world):
        strike(world)
        try:
            yield
        finally:
            heal(world)
    return context


def kill_sidecar(world):
    world.sidecar.kill()
    world.sidecar.start(ready=False)


def take_token(world):
    world.token.take_away()
    # so that a module that knows the token still looks again
    world.sidecar.signal(signal.SIGHUP)


def paused(process_of):
    """A process that takes connections (the system does that for it) and does nothing."""
    return lasting(lambda world: process_of(world).send_signal(signal.SIGSTOP), lambda world: process_of(world).send_signal(signal.SIGCONT))


def network(name, mode):
    return lasting(lambda world: world.proxies[name].set(mode), lambda world: world.proxies[name].set("pass"))


def faults(world):
    """All that can strike this world, with weights: how long one takes to heal says how often it is drawn."""
    drawn = [
        Fault("sidecar killed", "sidecar", 30, lasting(kill_sidecar, lambda world: None)),
        Fault("PostgreSQL stopped at once", "PostgreSQL", 6,
              lasting(lambda world: world.database.server.stop("immediate"), lambda world: world.database.server.start())),
        Fault("S3 server killed", "S3 server", 6, lasting(lambda world: world.s3.kill(), lambda world: world.s3.start())),
        Fault("S3 server paused", "S3 server", 6, paused(lambda world: world.s3.process)),
        Fault("Kafka broker killed", "Kafka broker", 2, lasting(lambda world: world.broker.kill(), lambda world: world.broker.start())),
        Fault("Kafka broker paused", "Kafka broker", 4, paused(lambda world: world.broker.process)),
        Fault("HSM gone", "HSM", 8, lasting(take_token, lambda world: world.token.put_back())),
    ]
    if world.disk.mounted:
        drawn.append(Fault("disk full", "disk", 8, lasting(lambda world: world.disk.fill(), lambda world: world.disk.empty())))
    for name in world.proxies:
        for mode, weight in (("slow", 3), ("silent", 5), ("reset", 4)):
            drawn.append(Fault(f"network to {name} {mode}", f"network to {name}", weight, network(name, mode)))
    return drawn
