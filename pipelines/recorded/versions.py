"""Models and controls as they were published, by version, for what was decided under them."""

from collections import OrderedDict

from events.types import ControlChanged, Event, ModelPublished, Versions
from models.blending import BOOSTING, CHAMPION
from models.controls import Controls
from models.errors import ControlError, StateRowError
from models.observations import ModelSnapshot
from models.scorer import Scorer
from pipelines import observe

SNAPSHOTS_MAX = 256
"""Of each model the latest so many are at hand, more than the log keeps; a snapshot has about 100 KiB."""

_VersionsKey = tuple[tuple[str, int], ...]


class PublishedVersions:
    """Told what was published, in order; gives what decided under given versions, None where it is gone."""

    def __init__(self) -> None:
        self._snapshots: dict[str, OrderedDict[int, ModelSnapshot]] = {}
        self._controls = Controls.builtin()
        self._by_versions: dict[_VersionsKey, Controls] = {_key(self._controls.versions): self._controls}
        self._scorer: Scorer | None = Scorer()
        self._scorer_versions = (0, 0)

    def note(self, event: Event | None) -> None:
        """Take up what a model or a control became; what no engine takes in force is passed over."""
        if isinstance(event, ModelPublished):
            snapshot = observe.snapshot(event)
            of_name = self._snapshots.setdefault(snapshot.name, OrderedDict())
            # Of two with one version the first is in force: the second is not newer.
            of_name.setdefault(snapshot.version, snapshot)
            if len(of_name) > SNAPSHOTS_MAX:
                of_name.popitem(last=False)
        elif isinstance(event, ControlChanged):
            try:
                self._controls = self._controls.changed(event.name, event.kind, event.version, event.body)
            except ControlError:
                return
            self._by_versions[_key(self._controls.versions)] = self._controls

    def controls(self, versions: Versions) -> Controls | None:
        """The controls of these versions."""
        return self._by_versions.get(_key(versions.controls))

    def scorer(self, versions: Versions) -> Scorer | None:
        """Champion and boosting of these versions."""
        wanted = (versions.online, versions.batch)
        if wanted != self._scorer_versions:
            self._scorer, self._scorer_versions = self._made(*wanted), wanted
        return self._scorer

    def _made(self, online: int, batch: int) -> Scorer | None:
        scorer = Scorer()
        for name, version in ((CHAMPION, online), (BOOSTING, batch)):
            if not version:
                continue
            snapshot = self._snapshots.get(name, OrderedDict()).get(version)
            if snapshot is None:
                return None
            try:
                scorer.use(snapshot)
            except StateRowError:
                return None
        return scorer


def _key(versions: dict[str, int]) -> _VersionsKey:
    return tuple(sorted(versions.items()))
