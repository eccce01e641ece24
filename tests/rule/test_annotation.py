from __future__ import annotations

import json

from kubectl_nodeport.rule import annotation


def test_text_is_craters() -> None:
    """Byte for byte the example of the contract, which Crater's own reader takes."""
    assert annotation.key("ssh") == "nodeport.crater.raids.io/ssh"
    assert annotation.value("ssh", 22, "192.168.5.82", 32513) == (
        '{"name":"ssh","containerPort":22,"address":"192.168.5.82","nodePort":32513}'
    )


def test_hostile_address_stays_inside_its_quotes() -> None:
    text = annotation.value("ssh", 22, '","nodePort":1,"x":"', 32513)
    assert json.loads(text)["nodePort"] == 32513
