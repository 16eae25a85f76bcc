"""The suite: what every delivery adapter must do, whatever it delivers to."""

from router.conformance.suite.answers import AnswerTests
from router.conformance.suite.arrival import ArrivalTests
from router.conformance.suite.batches import BatchTests
from router.conformance.suite.connecting import ConnectionTests
from router.conformance.suite.deadlines import DeadlineTests
from router.conformance.suite.options import OptionTests
from router.conformance.suite.secrecy import SecrecyTests
from router.conformance.suite.staying import StayTests
from router.conformance.suite.trust import TrustTests


class AdapterConformance(
    OptionTests,
    StayTests,
    ArrivalTests,
    BatchTests,
    AnswerTests,
    DeadlineTests,
    ConnectionTests,
    TrustTests,
    SecrecyTests,
):
    """Make a class of yours from it, with a fixture `harness` that gives your Harness:

    class TestConformance(AdapterConformance):
        @pytest.fixture
        def harness(self, tmp_path: Path) -> Harness:
            return PagerHarness(tmp_path)
    """
