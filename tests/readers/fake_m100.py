"""A few lines of M100: answers by a table, polls on order.  Built from the published frames, not from our codec."""

from collections.abc import Callable

ANSWERS = {
    0x03: "bb0103000b004d3130302056312e3030227e",
    0x07: "bb0107000100097e",
    0x0C: "bb010c0001000e7e",
    0x0E: "bb010e000100107e",
    0x12: "bb010c0001000e7e",
    0x28: "bb01280001002a7e",
    0xA9: "bb01a9000100ab7e",
    0xAB: "bb01ab000100ad7e",
    0xAD: "bb01ad000100af7e",
    0xB6: "bb01b6000100b87e",
}
TAG = bytes.fromhex("bb02220011c9340030751feb705c5904e3d50d703a76ef7e")
EPC = bytes.fromhex("30751feb705c5904e3d50d70")
NO_TAG = bytes.fromhex("bb01ff000115167e")


def frame(kind: int, command: int, payload: bytes) -> bytes:
    body = bytes([kind, command, 0, len(payload)]) + payload
    return b"\xbb" + body + bytes([sum(body) % 256]) + b"\x7e"


class FakeM100:
    """Answers what the driver asks; `on_poll` says what an order to poll yields."""

    def __init__(self, on_poll: Callable[[int], list[bytes]] = lambda _: [TAG]) -> None:
        self.answers = {command: [bytes.fromhex(text)] for command, text in ANSWERS.items()}
        self.on_poll = on_poll
        self.region, self.power = b"\x00", b"\x00\x00"
        self.orders: list[int] = []
        self.commands: list[int] = []
        self._heard = b""

    def script(self, data: bytes) -> list[bytes]:
        self._heard += data
        answers: list[bytes] = []
        while len(self._heard) >= 7:
            size = 7 + self._heard[4]
            command, payload, self._heard = self._heard[2], self._heard[5 : size - 2], self._heard[size:]
            self.commands.append(command)
            answers += self._obey(command, payload)
        return answers

    def _obey(self, command: int, payload: bytes) -> list[bytes]:
        if command == 0x27:
            self.orders.append(int.from_bytes(payload[1:], "big"))
            return self.on_poll(len(self.orders))
        if command == 0x07:
            self.region = payload
        if command == 0xB6:
            self.power = payload
        if command == 0x08:
            return self.answers.get(0x08, [frame(1, 0x08, self.region)])
        if command == 0xB7:
            return self.answers.get(0xB7, [frame(1, 0xB7, self.power)])
        return self.answers.get(command, [])
