"""Small films and sounds that a test writes: black pictures with flashes, silence with clicks."""

import wave
from fractions import Fraction

import av
import numpy as np

CLICK_SAMPLES = 40


def write_film(path, flashes_sec=(), times_sec=None, rate="25", length_sec=2.0, codec="libx264", **more):
    """Pictures 64 x 48 at `times_sec` (or `rate` a second); white from each flash on for 0.2 s, else black.

    `more`: rotation (degrees), clicks_sec (with a sound track, on the clock of the film), sound_from_sec, first_sec (of
    the pictures), picture (a function of the number, instead of flashes), gop. Gives the times of the pictures.
    """
    rate, base, first = Fraction(rate), Fraction(1, 90_000), more.get("first_sec", 0)
    if times_sec is None:
        times_sec = [float(k / rate) for k in range(round(length_sec * rate))]
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=rate, options={"g": str(more.get("gop", 12))})
        height, width = more["picture"](0).shape[:2] if "picture" in more else (48, 64)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        counts = path.suffix == ".avi"  # such files have a rate and no times
        video.codec_context.time_base = 1 / rate if counts else base
        if more.get("rotation"):
            video.set_display_rotation(more["rotation"])
        packets = []
        for k, time in enumerate(times_sec):
            white = any(flash - 1e-6 <= time < flash + 0.2 - 1e-6 for flash in flashes_sec)
            picture = more["picture"](k) if "picture" in more else np.full((48, 64, 3), 255 * white, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = (k, 1 / rate) if counts else (round((time + first) / base), base)
            packets.append((video, frame))
        if "clicks_sec" in more:
            begin = more.get("sound_from_sec", 0.0)
            sound = container.add_stream(more.get("sound_codec", "aac"), rate=44_100, layout="mono")
            samples = clicks([click - begin for click in more["clicks_sec"]], length_sec - begin, 44_100)
            for start in range(0, len(samples) - 1024, 1024):
                frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 44_100, start + round(begin * 44_100)
                frame.time_base = Fraction(1, 44_100)
                packets.append((sound, frame))
        for stream, frame in packets:
            container.mux(stream.encode(frame))
        for stream in container.streams:
            container.mux(stream.encode())
    return times_sec


def remux(source, path, shift_sec=0.0, change=lambda number, data: data, roles=("default",)):
    """Copy the pictures of a film, on another clock or with other data, as one track for each role."""
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        tracks = [new.add_stream_from_template(old.streams.video[0]) for _ in roles]
        for track, role in zip(tracks, roles, strict=True):
            track.disposition = av.stream.Disposition[role]
        for number, packet in enumerate(one for one in old.demux(video=0) if one.size):
            for track in tracks:
                copy = av.Packet(change(number, bytes(packet)))
                copy.time_base, copy.duration, copy.is_keyframe = packet.time_base, packet.duration, packet.is_keyframe
                copy.pts, copy.dts = (time + round(shift_sec / packet.time_base) for time in (packet.pts, packet.dts))
                copy.stream = track
                new.mux(copy)


def clicks(times_sec, length_sec, rate_hz):
    """(N,) float32, silent but for short clicks."""
    samples = np.zeros(round(length_sec * rate_hz), np.float32)
    for time in times_sec:
        samples[round(time * rate_hz) : round(time * rate_hz) + CLICK_SAMPLES] = 0.9
    return samples


def write_wave(path, clicks_sec, length_sec=2.0, rate_hz=44_100, channels=1, sample_bytes=2):
    """A wav file; clicks are in the last channel."""
    samples = np.zeros((round(length_sec * rate_hz), channels))
    samples[:, -1] = clicks(clicks_sec, length_sec, rate_hz)
    whole = (samples * (2 ** (8 * sample_bytes - 1) - 1)).astype("<i4")
    data = whole.reshape(-1, 1).view(np.uint8).reshape(-1, 4)[:, :sample_bytes].tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(sample_bytes)
        file.setframerate(rate_hz)
        file.writeframes(data)
