"""Mercury UHF modules: any frame in words, for `tacet decode`.  The direction must be told; frames do not tell it."""

from collections.abc import Callable, Mapping

from readers.capture import Protocol
from readers.errors import FrameError
from readers.framing import Direction
from readers.mercury import answers, statuses
from readers.mercury.codec import Answer, AnswerDecoder, Command, CommandDecoder
from readers.mercury.commands import STOP_STREAM, Opcode, ReaderOption
from readers.mercury.records import TagRecord

Fields = dict[str, object]


def protocol(direction: Direction) -> Protocol:
    """One direction of the protocol as `tacet decode` uses it."""
    if direction == "to_reader":
        return Protocol(CommandDecoder(), describe_command)
    return Protocol(AnswerDecoder(), describe_answer)


def describe_command(command: Command) -> Fields:
    """What the host asks, ready for JSON.

    Raises:
        FrameError: the payload does not fit the opcode.
    """
    head: Fields = {"opcode": f"0x{command.opcode:02x}"}
    if command.opcode in _NAMES:
        head["name"] = _NAMES[command.opcode]
    parser = _COMMANDS.get(command.opcode, _data)
    try:
        return head | parser(command.payload)
    except IndexError as error:
        raise FrameError(f"payload {command.payload.hex() or '(none)'} does not fit {head['opcode']}") from error


def describe_answer(answer: Answer) -> Fields:
    """What the module says, ready for JSON.

    Raises:
        FrameError: the payload does not fit the opcode.
    """
    head: Fields = {"opcode": f"0x{answer.opcode:02x}", "status": f"0x{answer.status:04x}"}
    if answer.status != statuses.OK:
        head["name"] = statuses.name(answer.status)
    if not answer.payload:
        return head
    parser = _ANSWERS.get(answer.opcode)
    if parser is None or answer.status != statuses.OK:
        return head | _data(answer.payload)
    return head | parser(answer)


def _data(payload: bytes) -> Fields:
    return {"data": payload.hex()}


def _number(payload: bytes, at: int, size: int) -> int:
    if at + size > len(payload):
        raise IndexError
    return int.from_bytes(payload[at : at + size], "big")


def _flags(payload: bytes, at: int) -> str:
    return f"0x{_number(payload, at, 2):04x}"


def _set_baud(payload: bytes) -> Fields:
    return {"baud": _number(payload, 0, 4)}


def _read_one(payload: bytes) -> Fields:
    return {"timeout_ms": _number(payload, 0, 2)} | ({"data": payload[2:].hex()} if payload[2:] else {})


def _read_multiple(payload: bytes) -> Fields:
    if len(payload) == 2:
        return {"timeout_ms": _number(payload, 0, 2)}
    fields: Fields = {"option": f"{payload[0]:02x}", "search_flags": _flags(payload, 1)}
    fields["timeout_ms"] = _number(payload, 3, 2)
    if payload[0] & answers.WITH_METADATA:
        fields["metadata_flags"] = _flags(payload, 5)
    return fields


def _tag_buffer(payload: bytes) -> Fields:
    if len(payload) != 3:
        return _data(payload)
    return {"metadata_flags": _flags(payload, 0), "option": f"{payload[2]:02x}"}


def _stream(payload: bytes) -> Fields:
    option = payload[2]
    head: Fields = {"timeout": _number(payload, 0, 2), "option": option}
    if option == STOP_STREAM:
        return {"name": "stop_continuous_read"} | head
    size = payload[7]
    inner = payload[8:]
    if len(inner) != size + 1:
        raise IndexError
    within: Fields = {"opcode": f"0x{inner[0]:02x}"}
    return (
        {"name": "start_continuous_read"}
        | head
        | {"sub_opcode": f"0x{payload[3]:02x}", "search_flags": _flags(payload, 4), "tag_protocol": payload[6]}
        | {"sub_len": size, "inner": within | _read_multiple(inner[1:])}
    )


def _power(payload: bytes) -> Fields:
    return {"power_cdbm": _number(payload, 0, 2)}


def _reader_option(payload: bytes) -> Fields:
    key, value = payload[1], payload[2:]
    fields: Fields = {"key": f"{key:02x}", "value": value.hex()}
    if key == ReaderOption.READ_FILTER:
        fields["meaning"] = "read_filter_on" if any(value) else "read_filter_off"
    return fields


def _version(answer: Answer) -> Fields:
    version = answers.parse_version(answer)
    return {
        "bootloader": version.bootloader.hex(),
        "hardware": version.hardware.hex(),
        "firmware_date": version.firmware_date.hex(),
        "firmware": version.firmware.hex(),
        "protocols_mask": f"{version.protocols:08x}",
        "model": version.model,
    }


def _read_one_answer(answer: Answer) -> Fields:
    return {"epc": answer.payload[:-2].hex(), "tag_crc": answer.payload[-2:].hex()}


def _stream_frame(answer: Answer) -> Fields:
    found = answers.parse_found(answer)
    if found is not None:
        return {"kind": "search_ended", "tags_found": found}
    search = answers.parse_search(answer)
    head: Fields = {"option": f"{search.option:02x}", "search_flags": f"0x{search.search_flags:04x}"}
    record = answers.parse_tag(answer)
    if record is not None:
        return {"kind": "streamed_tag"} | head | {"metadata_flags": f"0x{search.metadata:04x}"} | _record(record)
    contents: Fields = {"payload_len": len(answer.payload), "contents": answer.payload[search.contents_at :].hex()}
    if search.kind == answers.ENDED:
        return {"kind": "search_ended"} | head | contents
    temperature_c = answers.parse_streamed_temperature(answer)
    known: Fields = {} if temperature_c is None else {"temperature_c": temperature_c}
    return {"kind": "stream_status_not_a_tag"} | head | contents | known


def _tag_buffer_answer(answer: Answer) -> Fields:
    metadata, option, records = answers.parse_tag_buffer(answer)
    return {
        "metadata_flags": f"0x{metadata:04x}",
        "option": f"{option:02x}",
        "tags": [_record(record) for record in records],
    }


def _record(record: TagRecord) -> Fields:
    """A tag; what its flags do not announce is left out."""
    seen = record.sighting
    fields: Fields = {
        "read_count": seen.read_count,
        "rssi_dbm": seen.rssi_dbm,
        "antenna_tx": seen.antenna_tx,
        "antenna_rx": seen.antenna_rx,
        "frequency_khz": seen.frequency_khz,
        "timestamp_ms": seen.timestamp_ms,
        "phase": seen.phase_deg,
        "tag_protocol": seen.tag_protocol,
        "embedded_bits": seen.data_bits,
        "embedded_data": seen.data.hex() or None,
        "gpio": None if seen.gpio is None else f"{seen.gpio:02x}",
        "gen2_q": seen.gen2_q,
        "gen2_link": seen.gen2_link,
        "gen2_target": seen.gen2_target,
        "epc_bits_incl_pc_crc": record.epc_bits,
        "pc": f"{record.pc:04x}",
        "xpc": record.xpc.hex() or None,
        "epc": record.epc.hex(),
        "tag_crc": f"{record.tag_crc:04x}",
        "crc_ok": record.crc_ok,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _power_answer(answer: Answer) -> Fields:
    power = answers.parse_power(answer)
    fields: Fields = {"power_cdbm": power.now_cdbm}
    return fields if power.most_cdbm is None else fields | {"max_cdbm": power.most_cdbm, "min_cdbm": power.least_cdbm}


def _serial_number(answer: Answer) -> Fields:
    return {"serial_number": answers.parse_serial_number(answer)}


def _temperature(answer: Answer) -> Fields:
    return {"temperature_c": answers.parse_temperature(answer)}


_NAMES: Mapping[int, str] = {
    Opcode.VERSION: "version",
    Opcode.BOOT: "boot_firmware",
    Opcode.SET_BAUD: "set_baud",
    Opcode.CURRENT_PROGRAM: "get_current_program",
    Opcode.SERIAL_NUMBER: "get_serial_number",
    Opcode.READ_ONE: "read_tag_single",
    Opcode.READ_MULTIPLE: "read_tag_multiple",
    Opcode.WRITE_DATA: "write_tag_data",
    Opcode.GET_TAG_BUFFER: "get_tag_buffer",
    Opcode.CLEAR_TAG_BUFFER: "clear_tag_buffer",
    Opcode.GET_ANTENNAS: "get_antenna_port",
    Opcode.GET_READ_POWER: "get_read_power",
    Opcode.GET_PROTOCOL: "get_tag_protocol",
    Opcode.GET_WRITE_POWER: "get_write_power",
    Opcode.GET_HOP_TABLE: "get_hop_table",
    Opcode.GET_GPIO: "get_gpio_inputs",
    Opcode.GET_REGION: "get_region",
    Opcode.GET_POWER_MODE: "get_power_mode",
    Opcode.GET_READER_OPTION: "get_reader_optional_param",
    Opcode.GET_PROTOCOL_OPTION: "get_protocol_param",
    Opcode.GET_PROTOCOLS: "get_available_protocols",
    Opcode.GET_REGIONS: "get_available_regions",
    Opcode.GET_TEMPERATURE: "get_temperature",
    Opcode.SET_ANTENNAS: "set_antenna_port",
    Opcode.SET_READ_POWER: "set_read_power",
    Opcode.SET_PROTOCOL: "set_tag_protocol",
    Opcode.SET_WRITE_POWER: "set_write_power",
    Opcode.SET_HOP_TABLE: "set_hop_table",
    Opcode.SET_REGION: "set_region",
    Opcode.SET_POWER_MODE: "set_power_mode",
    Opcode.SET_READER_OPTION: "set_reader_optional_param",
    Opcode.SET_PROTOCOL_OPTION: "set_protocol_param",
}
_COMMANDS: Mapping[int, Callable[[bytes], Fields]] = {
    Opcode.SET_BAUD: _set_baud,
    Opcode.READ_ONE: _read_one,
    Opcode.READ_MULTIPLE: _read_multiple,
    Opcode.GET_TAG_BUFFER: _tag_buffer,
    Opcode.STREAM: _stream,
    Opcode.SET_READ_POWER: _power,
    Opcode.SET_WRITE_POWER: _power,
    Opcode.SET_READER_OPTION: _reader_option,
}
_ANSWERS: Mapping[int, Callable[[Answer], Fields]] = {
    Opcode.VERSION: _version,
    Opcode.SERIAL_NUMBER: _serial_number,
    Opcode.READ_ONE: _read_one_answer,
    Opcode.READ_MULTIPLE: _stream_frame,
    Opcode.GET_TAG_BUFFER: _tag_buffer_answer,
    Opcode.GET_READ_POWER: _power_answer,
    Opcode.GET_WRITE_POWER: _power_answer,
    Opcode.GET_TEMPERATURE: _temperature,
}
