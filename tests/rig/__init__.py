"""The rig: makes calls whose every picture and sound is known, and judges recordings of them.

- :mod:`~tests.rig.janus`: a real Janus in a network namespace of its own.
- :mod:`~tests.rig.guests`: exact guests in their own process (:mod:`~tests.rig.guest_process`), scripted or told what
  to do; :mod:`~tests.rig.janus_guest` is their signalling, :mod:`~tests.rig.exact` their media, for any aiortc peer.
- :mod:`~tests.rig.chromium`: guests in real browsers.
- :mod:`~tests.rig.picture`, :mod:`~tests.rig.sound`: what a guest looks and sounds like, for those who make it and
  those who read it; :mod:`~tests.rig.loops` has it encoded, :mod:`~tests.rig.clocks` says when.
- :mod:`~tests.rig.judge`: what is in a produced file; :mod:`~tests.rig.synthetic` makes files to judge the judge by.
- :mod:`~tests.rig.trouble`: loss, jitter and dead networks for whoever receives;
  :mod:`~tests.rig.troubled_attend` runs an attendant under them.
"""
