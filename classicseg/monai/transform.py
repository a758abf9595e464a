"""A dictionary transform that refines what a network says of an image."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from classicseg import inputs
from classicseg.energies.unary import unary_from_sigmoid
from classicseg.errors import InputError, InputTypeError
from classicseg.pipelines import presets
from classicseg.pipelines.presets import Preset
from classicseg.pipelines.refine import parameters_of_refine, refine, refinement

__all__ = ["CRFd"]

KINDS = ("logits", "probabilities")
OUTPUTS = ("labels", "marginals")
_NOT_HERE = ("probabilities", "logits", "unary", "mask", "marginals", "label_axis", "channel_axis", "progress")


class CRFd:
    """Refine entries of a dictionary by the image in it, as :func:`refine` does.

    A callable like the dictionary transforms of MONAI: channels come first, there is no batch axis, and what comes out
    is of the kind that went in, an array or a tensor on its device, with its metadata.

    Parameters
    ----------
    keys : hashable or sequence of hashable
        Entries to refine: (L, *spatial), or (1, *spatial) for the one foreground channel of a sigmoid.
    image_key : hashable
        Entry that leads: (C, *spatial).
    kind : {"logits", "probabilities"}
        What the entries hold.
    output : {"labels", "marginals"}
        What takes their place: (1, *spatial) labels, as ``AsDiscrete(argmax=True)`` makes them, or probabilities in the
        shape of the entry.
    preset : str or Preset
        As in :func:`refine`.
    allow_missing_keys : bool
        Leave out entries that are not there, instead of an error.
    n_threads : int, optional
        Threads.
    **changes
        Replace single parameters of the preset, see :func:`refine`; ``spacing=`` for voxels that are no cubes,
        ``independent=True`` for channels of a sigmoid that may overlap, such as the regions of a tumour: labels are
        then (L, *spatial) masks.

    Raises
    ------
    ValueError
        If `kind`, `output` or the preset is unknown; when called, if an entry is missing or cannot be refined.
    TypeError
        If there is no parameter of such a name; when called, if something does not hold numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from classicseg.monai import CRFd
    >>> item = {"image": np.zeros((1, 8, 6, 4)), "pred": np.zeros((2, 8, 6, 4))}
    >>> CRFd(keys="pred", spacing=(1, 1, 3))(item)["pred"].shape
    (1, 8, 6, 4)
    """

    def __init__(
        self,
        keys: Hashable | Sequence[Hashable],
        image_key: Hashable = "image",
        *,
        kind: str = "logits",
        output: str = "labels",
        preset: str | Preset = presets.AUTO,
        allow_missing_keys: bool = False,
        n_threads: int | None = None,
        **changes: Any,
    ) -> None:
        listed = isinstance(keys, Sequence) and not isinstance(keys, str)
        self.keys: tuple[Hashable, ...] = tuple(keys) if listed else (keys,)  # type: ignore[arg-type]
        self.image_key = image_key
        self.kind = inputs.choice(kind, "kind", KINDS)
        self.output = inputs.choice(output, "output", OUTPUTS)
        presets.check(preset)
        if self.output == "marginals" and changes.get("independent"):
            raise InputError("output='marginals' are those of labels that exclude each other, not of independent ones")
        self.allow_missing_keys = inputs.as_flag(allow_missing_keys, "allow_missing_keys")
        known = [name for name in parameters_of_refine() if name not in _NOT_HERE]
        presets.check_names(changes, known, "CRFd has no parameter")
        self.options = {"preset": preset, "n_threads": n_threads, "channel_axis": 0, **changes}

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of the dictionary with refined entries; `data` stays as it is."""
        if not isinstance(data, Mapping):
            raise InputTypeError(f"data must be a dictionary of one image, got {type(data).__name__}")
        refined = dict(data)
        for key in self.keys:
            if key in data or not self.allow_missing_keys:
                refined[key] = self._refined(_entry(data, self.image_key), _entry(data, key))
        return refined

    def _refined(self, image: Any, entry: Any) -> Any:
        scores = inputs.as_array(_on_cpu(entry), "the entry to refine")
        given: dict[str, Any] = {self.kind: scores}
        if self.options.get("independent"):
            return _like(entry, refine(_on_cpu(image), **given, **self.options))
        single = scores.ndim > 1 and scores.shape[0] == 1
        if single:
            given = {"unary": unary_from_sigmoid(scores[0], from_logits=self.kind == "logits")}
        wanted = self.output == "marginals"
        result = refinement(_on_cpu(image), **given, **self.options, marginals=wanted)
        if not wanted:
            return _like(entry, result.labels[np.newaxis])
        assert result.marginals is not None
        return _like(entry, result.marginals[1:] if single else result.marginals)


def _entry(data: Mapping[Hashable, Any], key: Hashable) -> Any:
    if key not in data:
        raise InputError(f"data has no entry {key!r}; it has {', '.join(map(repr, data)) or 'none'}")
    return data[key]


def _on_cpu(value: Any) -> Any:
    return value.detach().cpu() if hasattr(value, "detach") else value


def _like(entry: Any, array: np.ndarray) -> Any:
    """`array` as what the entry was: of its floats, and if it was a tensor, on its device and with its metadata."""
    if not hasattr(entry, "new_tensor"):
        dtype = inputs.as_array(entry, "the entry to refine").dtype
        return array.astype(dtype.newbyteorder("=") if dtype.kind == "f" else np.float32)
    out = entry.detach()[:1].expand(array.shape).clone()  # tensors of MONAI hand their metadata on
    out = out if out.is_floating_point() else out.float()
    return out.copy_(out.new_tensor(array))
