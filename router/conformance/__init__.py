"""The conformance kit: whether a delivery adapter keeps the contract, tested by one suite.

For the tests of whoever writes an adapter (`pip install 'hubherald[conformance]'`): a class of your
own made from `AdapterConformance`, with a fixture `harness` that gives a Harness. The harness says
what the other side is, and has it misbehave as `Situation` names it; what there is not is declared
in its `cannot`, with a reason, and the run says so at its end. A `GatedPeer` has a `Gate`, which
makes all that a network and TLS can do wrong, in front of any server.

Nothing of the router imports this; it is of no use to one that runs.
"""

from router.conformance.alerts import DCC, MARKED, USER, alert, longest, marked, spelled_out
from router.conformance.certificates import CertificateAuthority
from router.conformance.gate import Gate, serving
from router.conformance.gated import GatedPeer
from router.conformance.harness import Arrived, Connections, Harness, Peer
from router.conformance.situations import NETWORK, REST, SECURE, Ability, Situation, because
from router.conformance.suite import AdapterConformance

__all__ = [
    "DCC",
    "MARKED",
    "NETWORK",
    "REST",
    "SECURE",
    "USER",
    "Ability",
    "AdapterConformance",
    "Arrived",
    "CertificateAuthority",
    "Connections",
    "Gate",
    "GatedPeer",
    "Harness",
    "Peer",
    "Situation",
    "alert",
    "because",
    "longest",
    "marked",
    "serving",
    "spelled_out",
]
