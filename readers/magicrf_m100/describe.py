"""MagicRF M100 UHF module: any frame in words, for `tacet decode`."""

from collections.abc import Mapping

from readers.capture import Protocol
from readers.errors import FrameError
from readers.framing import Direction
from readers.magicrf_m100 import answers, fields
from readers.magicrf_m100.codec import Frame, FrameDecoder, FrameType
from readers.magicrf_m100.commands import Command
from readers.magicrf_m100.fields import Fields, Parser


def protocol(direction: Direction) -> Protocol:  # noqa: ARG001  the frame type tells
    """The protocol as `tacet decode` uses it."""
    return Protocol(FrameDecoder(), describe)


def describe(frame: Frame) -> Fields:
    """What a frame says, ready for JSON.

    Raises:
        FrameError: the contents do not fit the command.
    """
    head: Fields = {"type": frame.type, "cmd": f"0x{frame.command:02x}"}
    if frame.type == FrameType.COMMAND:
        return head | _describe_command(frame)
    if frame.type == FrameType.NOTICE:
        return head | _describe_notice(frame)
    return head | _parse(_ANSWERS, frame)


def _describe_command(frame: Frame) -> Fields:
    name: Fields = {"name": _NAMES[frame.command]} if frame.command in _NAMES else {}
    return name | _parse(_COMMANDS, frame)


def _describe_notice(frame: Frame) -> Fields:
    notice = answers.parse_tag_notice(frame)
    if notice is None:
        return {"payload": frame.payload.hex()}
    return {
        "rssi_dbm": notice.rssi_dbm,
        "pc": f"{notice.pc:04x}",
        "epc": notice.epc.hex(),
        "tag_crc": f"{notice.tag_crc:04x}",
        "crc_ok": notice.crc_ok,
    }


def _parse(parsers: Mapping[int, Parser], frame: Frame) -> Fields:
    parser = parsers.get(frame.command)
    if parser is None:
        return {"payload": frame.payload.hex()}
    try:
        return parser(frame.payload)
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise FrameError(
            f"payload {frame.payload.hex() or '(none)'} does not fit command 0x{frame.command:02x}"
        ) from error


_NAMES: Mapping[int, str] = {
    Command.INFO: "get_info",
    Command.IDLE: "idle",
    Command.SET_REGION: "set_region",
    Command.GET_REGION: "get_region",
    Command.GET_SELECT: "get_select",
    Command.SET_SELECT: "set_select",
    Command.GET_QUERY: "get_query",
    Command.SET_QUERY: "set_query",
    Command.SET_BAUD: "set_baud",
    Command.SET_SELECT_MODE: "set_select_mode",
    Command.SLEEP: "sleep",
    Command.GPIO: "gpio",
    Command.AUTO_SLEEP: "idle_sleep_minutes",
    Command.SINGLE_POLL: "single_poll",
    Command.MULTI_POLL: "multi_poll",
    Command.STOP_MULTI_POLL: "stop_multi_poll",
    Command.READ_MEMORY: "read_memory",
    Command.WRITE_MEMORY: "write_memory",
    Command.KILL: "kill",
    Command.LOCK: "lock",
    Command.INSERT_CHANNELS: "insert_channels",
    Command.GET_CHANNEL: "get_channel",
    Command.SET_CHANNEL: "set_channel",
    Command.SET_HOPPING: "set_hopping",
    Command.SET_CARRIER: "set_carrier",
    Command.SET_POWER: "set_power",
    Command.GET_POWER: "get_power",
    Command.BLOCK_LOCK: "block_lock",
    Command.NXP_CHANGE_CONFIG: "nxp_change_config",
    Command.NXP_READ_PROTECT: "nxp_read_protect",
    Command.MONZA_QT: "monza_qt",
    Command.NXP_CHANGE_EAS: "nxp_change_eas",
    Command.NXP_EAS_ALARM: "nxp_eas_alarm",
    Command.SET_DEMODULATOR: "set_demodulator",
    Command.GET_DEMODULATOR: "get_demodulator",
    Command.SCAN_JAMMER: "scan_jammer",
    Command.SCAN_RSSI: "scan_rssi",
}
_QUESTIONS = (
    Command.GET_REGION,
    Command.GET_SELECT,
    Command.GET_QUERY,
    Command.SLEEP,
    Command.SINGLE_POLL,
    Command.STOP_MULTI_POLL,
    Command.GET_CHANNEL,
    Command.GET_POWER,
    Command.NXP_EAS_ALARM,
    Command.GET_DEMODULATOR,
    Command.SCAN_JAMMER,
    Command.SCAN_RSSI,
)
_COMMANDS: Mapping[int, Parser] = dict.fromkeys(_QUESTIONS, fields.nothing) | {
    Command.INFO: fields.info_kind,
    Command.IDLE: fields.idle,
    Command.INSERT_CHANNELS: fields.channels,
    Command.SET_REGION: fields.region,
    Command.SET_SELECT: fields.select,
    Command.SET_QUERY: fields.query,
    Command.SET_BAUD: fields.baud,
    Command.SET_SELECT_MODE: fields.byte("mode"),
    Command.GPIO: fields.gpio,
    Command.AUTO_SLEEP: fields.byte("minutes"),
    Command.MULTI_POLL: fields.multi_poll,
    Command.READ_MEMORY: fields.memory,
    Command.WRITE_MEMORY: fields.memory,
    Command.SET_CHANNEL: fields.byte("index"),
    Command.SET_HOPPING: fields.hopping,
    Command.SET_CARRIER: fields.hopping,
    Command.SET_POWER: fields.word("power_cdbm"),
    Command.NXP_CHANGE_EAS: fields.eas,
    Command.SET_DEMODULATOR: fields.demodulator,
}
_ACKNOWLEDGED = (
    Command.IDLE,
    Command.SET_REGION,
    Command.SET_QUERY,
    Command.SET_SELECT_MODE,
    Command.SLEEP,
    Command.STOP_MULTI_POLL,
    Command.INSERT_CHANNELS,
    Command.SET_CHANNEL,
    Command.SET_HOPPING,
    Command.SET_CARRIER,
    Command.SET_POWER,
    Command.CHANGE_CONFIG,
    Command.SET_DEMODULATOR,
)
_TAG_ACCESS = (
    Command.WRITE_MEMORY,
    Command.KILL,
    Command.LOCK,
    Command.NXP_READ_PROTECT,
    Command.NXP_RESET_READ_PROTECT,
    Command.NXP_CHANGE_EAS,
    Command.MONZA_QT_DONE,
    Command.BLOCK_LOCK_DONE,
)
_ANSWERS: Mapping[int, Parser] = (
    dict.fromkeys(_ACKNOWLEDGED, fields.result)
    | dict.fromkeys(_TAG_ACCESS, fields.tag_result)
    | {
        Command.INFO: fields.info_text,
        Command.GET_REGION: fields.region,
        Command.GET_SELECT: fields.select,
        Command.SET_SELECT: fields.select_answer,
        Command.GET_QUERY: fields.query,
        Command.GPIO: fields.gpio_answer,
        Command.AUTO_SLEEP: fields.byte("minutes"),
        Command.READ_MEMORY: fields.tag_data,
        Command.BLOCK_LOCK: fields.tag_data,
        Command.NXP_CHANGE_CONFIG: fields.tag_data,
        Command.MONZA_QT: fields.tag_data,
        Command.GET_CHANNEL: fields.byte("index"),
        Command.GET_POWER: fields.word("power_cdbm"),
        Command.GET_DEMODULATOR: fields.demodulator,
        Command.SCAN_JAMMER: fields.scan,
        Command.SCAN_RSSI: fields.scan,
        Command.ERROR: fields.error,
    }
)
