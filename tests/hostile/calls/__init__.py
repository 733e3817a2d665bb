"""A right call of each public function, room by room."""

from hostile.calls import checking, data, layers, measures, networks

CALLS = [*layers.CALLS, *networks.CALLS, *data.CALLS, *measures.CALLS, *checking.CALLS]
