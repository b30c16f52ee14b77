"""The faults of a storm. Each is a context: it strikes when entered, and is over when left."""

import contextlib
import signal


class Fault:
    """Of one counterpart at a time there is one fault."""

    def __init__(self, name, subject, weight, context):
        self.name, self.subject, self.weight, self.context = name, subject, weight, context


@contextlib.contextmanager
def sidecar_killed(world):
    world.sidecar.kill()
    world.sidecar.start(ready=False)
    yield


@contextlib.contextmanager
def postgresql_stopped_at_once(world):
    world.database.server.stop("immediate")
    yield
    world.database.server.start()


@contextlib.contextmanager
def store_killed(world):
    world.s3.stop()
    yield
    world.s3.start()


@contextlib.contextmanager
def broker_killed(world):
    world.broker.kill()
    yield
    world.broker.start()


def stopped(process_of):
    """A process that takes connections (the system does that for it) and does nothing."""
    @contextlib.contextmanager
    def context(world):
        process = process_of(world)
        process.send_signal(signal.SIGSTOP)
        yield
        process.send_signal(signal.SIGCONT)
    return context


@contextlib.contextmanager
def token_gone(world):
    tokens = world.token.directory / "tokens"
    gone = world.token.directory / "gone"
    tokens.rename(gone)
    tokens.mkdir()
    # so that a module that knows the token still looks again
    world.sidecar.signal(signal.SIGHUP)
    yield
    tokens.rmdir()
    gone.rename(tokens)


@contextlib.contextmanager
def disk_full(world):
    world.disk.fill()
    yield
    world.disk.empty()


def network(name, mode):
    @contextlib.contextmanager
    def context(world):
        world.proxies[name].set(mode)
        yield
        world.proxies[name].set("pass")
    return context


def faults(world):
    """All that can strike this world, with weights: how long one takes to heal says how often it is drawn."""
    drawn = [
        Fault("sidecar killed", "sidecar", 30, sidecar_killed),
        Fault("PostgreSQL stopped at once", "PostgreSQL", 6, postgresql_stopped_at_once),
        Fault("S3 server killed", "S3 server", 6, store_killed),
        Fault("S3 server paused", "S3 server", 6, stopped(lambda world: world.s3.process)),
        Fault("Kafka broker killed", "Kafka broker", 2, broker_killed),
        Fault("Kafka broker paused", "Kafka broker", 4, stopped(lambda world: world.broker.process)),
        Fault("HSM gone", "HSM", 8, token_gone),
    ]
    if world.disk.mounted:
        drawn.append(Fault("disk full", "disk", 8, disk_full))
    for name in world.proxies:
        for mode, weight in (("slow", 3), ("silent", 5), ("reset", 4)):
            drawn.append(Fault(f"network to {name} {mode}", f"network to {name}", weight, network(name, mode)))
    return drawn
