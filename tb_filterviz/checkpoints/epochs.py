"""Which epochs names say; and which numbers in names count something else: folds, seeds, versions, sizes, losses."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

_DIGITS = r"\d+(?:\.\d+)*(?:e[+-]?\d+)?"
_SIGN = r"(?:(?<=[-_. =])[-+](?=\d))?"  # of weights.01--0.52, but not of 2024-01-31
_NO_VALUE = r"(?:(?<![^\W\d_])|(?<=loss)|(?<=acc)|(?<=accuracy))(?:nan|inf)(?![^\W\d_])"
_NUMBER = re.compile(rf"{_SIGN}{_DIGITS}|{_SIGN}{_NO_VALUE}", re.IGNORECASE)
_EPOCH_AND_VALUE = re.compile(r"(\d+)\.\d+\.\d+(?:e[+-]?\d+)?", re.IGNORECASE)  # {epoch:02d}.{val_loss:.2f}
_KEYWORD = re.compile(rf"(?:epoch|ckpt)[-_. =]*({_DIGITS})", re.IGNORECASE)
_DATE = re.compile(
    r"(?<!\d)(?:(?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])|\d\d([-_.])\d\d\2(?:19|20)\d\d)(?!\d)"
)
_WORD_BEFORE = re.compile(r"([^\W\d_]+)[-_. =:(#]*$")
_MOST_DIGITS = 8  # of an epoch or a count of batches; ten digits are a time


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OF_CHECKPOINTS = _words(  # words after which a number is an epoch, even glued to them
    "epoch epochs ep e ckpt ckp chkpt cpt cp checkpoint checkpoints weight weights wts w step steps iter iters "
    "iteration iterations it snapshot snap"
)
_TOGETHER = _words("model net network")  # likewise, but glued to them it may be a version
_BEHIND = _words("epoch epochs ep")
_OF_TRAININGS = _words(  # words after which a number tells one training from another
    "fold folds kfold cv crossval split splits seed seeds rng random run runs trial trials exp expt experiment version "
    "versions ver v copy rev revision rank gpu gpus cuda tpu device node worker replica process proc part parts shard "
    "shards chunk sweep ensemble ens member rep reps repeat repetition attempt try job task session group config cfg "
    "variant subject sub subj patient site cohort dataset data set id bs batchsize size sz px dim dims res resolution "
    "width height depth img image images input crop patch class classes cls filters units layers hidden bits int uint "
    "fp bf float alpha beta gamma dropout drop wd decay momentum temperature"
)
_OF_MEASURES = _words(  # words after which a number is what came out, or how far within an epoch
    "loss lr acc accuracy top auc f score mse rmse mae psnr ssim precision recall iou miou dice val err error metric "
    "kl elbo reward time sec secs s batch batches"
)


@dataclass(frozen=True, slots=True)
class _Column:
    """One place for a number, in names that differ in numbers only.

    Attributes:
        texts: what stands there, in each name.
        words: what stands before it, in the same way in each: the word, and of `modelFold` also its last part.
        is_glued: whether a letter stands next to it, or a parenthesis, as around the number of a copy: ``w (2)``.
        is_behind_words: whether all letters next to it are before it, or say that it counts epochs.
    """

    texts: tuple[str, ...]
    words: tuple[str, ...]
    is_glued: bool
    is_behind_words: bool

    @property
    def differs(self) -> bool:
        return len(set(self.texts)) > 1

    @property
    def epochs(self) -> list[int]:
        """The numbers, if they are whole, or epochs with a value behind; else nothing."""
        if all(text.isdecimal() for text in self.texts):
            return [int(text) for text in self.texts]
        with_values = [_EPOCH_AND_VALUE.fullmatch(text) for text in self.texts]
        is_padded = any(match and _is_padded(match[1]) for match in with_values)  # 1.52.01: which?
        return [int(match[1]) for match in with_values if match] if is_padded and all(with_values) else []

    def is_after(self, words: frozenset[str]) -> bool:
        return any(word in words for word in self.words)

    @property
    def may_count_epochs(self) -> bool:
        if not self.epochs or self.is_after(_OF_TRAININGS) or self.is_after(_OF_MEASURES):
            return False
        return not self.is_glued or (self.is_behind_words and (not self.words or self.is_after(_OF_CHECKPOINTS)))

    @property
    def counts_epochs_clearly(self) -> bool:
        """Whether that is so without other names beside it: by the word before it, or as it is padded with zeros."""
        is_padded = any(_is_padded(text.partition(".")[0]) for text in self.texts)
        return self.may_count_epochs and (is_padded or self.is_after(_OF_CHECKPOINTS | _TOGETHER))


def _is_padded(text: str) -> bool:
    return len(text) > 1 and text.startswith("0")


def epochs_of(labels: Sequence[str]) -> list[int | None]:
    """Tell which epoch each name says; None where that is not clear.

    The epoch is the number after ``epoch`` or ``ckpt``, or else the first whole number, if names differ in no other.
    Names that do not say it in the same way as most do are left as not clear. Numbers that tell trainings apart
    (``fold_1``), dates, and numbers glued to other words (``vgg16``) are no epochs.

    Args:
        labels: names, without what only says their format.
    """
    said = {place: epoch for place, label in enumerate(labels) if (epoch := _after_keyword(label)) is not None}
    groups = []
    if said and not what_tells_apart([labels[place] for place in said]):
        groups.append(said)
    for family in families(labels):
        if not said.keys() & set(family):
            epochs = _by_column([labels[place] for place in family])
            groups.append(dict(zip(family, epochs, strict=True)) if epochs else {})
    groups = sorted((group for group in groups if group), key=len)
    is_clear = bool(groups) and (len(groups) == 1 or len(groups[-1]) > len(groups[-2]))
    return [groups[-1].get(place) for place in range(len(labels))] if is_clear else [None] * len(labels)


def families(labels: Sequence[str]) -> list[list[int]]:
    """Group names that differ in numbers only; of each group, the places in `labels`."""
    found = defaultdict(list)
    for place, label in enumerate(labels):
        found[_NUMBER.sub("#", label)].append(place)
    return list(found.values())


def says_the_same(label: str, other: str) -> bool:
    """Tell whether two names are equal but for zeros before their numbers."""
    one, two = (re.sub(r"\d+", lambda digits: str(int(digits[0])), text) for text in (label, other))
    return one == two


def what_tells_apart(labels: Sequence[str]) -> str:
    """Find the word whose numbers tell several trainings apart, such as ``fold``; empty if there is none."""
    numbers: dict[str, set[str]] = defaultdict(set)
    for label in labels:
        for number in _NUMBER.finditer(label):
            for word in _words_before(label, number):
                if word in _OF_TRAININGS:
                    numbers[word].add(number[0])
    return next((word for word, found in numbers.items() if len(found) > 1), "")


def patterns_for(labels: Sequence[str]) -> list[str]:
    """Write expressions that may find the epoch: the number after ``epoch``, or the one in which names differ."""
    if all(_after_keyword(label) is not None for label in labels):
        return [r"(?i:epoch|ckpt)[-_. =]*(\d+)"]
    if len(families(labels)) != 1:
        return []
    columns = _columns(labels)
    telling = [column for column in columns if column.epochs and column.differs and not column.is_after(_OF_MEASURES)]
    if len(telling) != 1:
        return []
    number = list(_NUMBER.finditer(labels[0]))[columns.index(telling[0])]
    before = labels[0][: number.start()].rpartition("/")[2]
    short = re.split(r"\d", before)[-1]
    return [f"{_literally(text)}(\\d+)" for text in dict.fromkeys([short, before]) if text]


def _literally(text: str) -> str:
    """Escape what an expression would take for a sign, and no more, since people will read it."""
    return re.sub(r"([.^$*+?{}|()\[\]\\])", r"\\\1", text)


def _after_keyword(label: str) -> int | None:
    numbers = _KEYWORD.findall(label)
    if len(numbers) != 1:
        return None
    with_value = _EPOCH_AND_VALUE.fullmatch(numbers[0])
    text = with_value[1] if with_value else numbers[0]
    return int(text) if text.isdecimal() else None  # a loss may follow the word as well


def _by_column(labels: Sequence[str]) -> list[int]:
    """Read the epochs from names that differ in numbers only; none if there is any doubt.

    Numbers that stand alone come before those at a letter: of ``w5-1``, the 1 is the first.
    """
    columns = _columns(labels)
    if any(map(_DATE.search, labels)) or what_tells_apart(labels):
        return []
    counting = [column for column in columns if column.may_count_epochs]
    if len(labels) == 1:
        telling = [column for column in counting if column.counts_epochs_clearly]
    else:
        doubtful = [column for column in columns if column.epochs and not column.is_after(_OF_MEASURES)]
        telling = [column for column in doubtful if column.differs]
    alone = [column for column in counting if not column.is_glued]
    if len(telling) != 1 or telling[0] not in (alone or counting)[:1]:
        return []
    return telling[0].epochs if max(telling[0].epochs) < 10**_MOST_DIGITS else []


def _columns(labels: Sequence[str]) -> list[_Column]:
    """List the places of numbers in names that differ in numbers only."""
    found = []
    for numbers in zip(*map(_NUMBER.finditer, labels), strict=True):
        label, first = labels[0], numbers[0]
        behind = re.match(r"[^\W\d_]*", label[first.end() :])
        letters = behind[0].lower() if behind else ""
        before = label[: first.start()][-1:]
        found.append(
            _Column(
                texts=tuple(number[0] for number in numbers),
                words=_words_before(label, first),
                is_glued=before.isalpha() or before == "(" or bool(letters),
                is_behind_words=before != "(" and (not letters or letters in _BEHIND),
            )
        )
    return found


def _words_before(label: str, number: re.Match[str]) -> tuple[str, ...]:
    word = _WORD_BEFORE.search(label[: number.start()])
    if word is None:
        return ()
    last = re.split(r"(?<=[a-z])(?=[A-Z])", word[1])[-1]
    return tuple(dict.fromkeys((word[1].lower(), last.lower())))
