"""Run in a release directory: dispatch as many messages as the argument says, each with a content of its own."""

import sys

from sms.message import SmsNotification

from messenger.application import Application

application = Application.load()
for number in range(int(sys.argv[1])):
    application.dispatch(SmsNotification(content=f"load-{number}"))
