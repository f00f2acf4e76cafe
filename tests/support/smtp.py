"""A real SMTP server for the tests. It prints its port, and then every letter as a line of JSON."""

import argparse
import asyncio
import email
import email.policy
import json
import logging
import ssl
import sys
import warnings

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

arguments = argparse.ArgumentParser()
arguments.add_argument("--slow", type=float, default=0, help="seconds before a letter is taken")
arguments.add_argument("--refuse", type=int, default=0, help="letters to refuse for the time being")
arguments.add_argument("--never", action="store_true", help="refuse every letter for good")
arguments.add_argument("--certificate", help="with --key: STARTTLS, and nothing without it")
arguments.add_argument("--key")
arguments.add_argument("--smtps", action="store_true", help="TLS from the first byte")
arguments.add_argument("--login", help="user:password, required")
arguments.add_argument("--address", default="127.0.0.1", help="where to listen")
options = arguments.parse_args()


# Leave it to the test to judge mistakes of the client.
logging.getLogger("mail").setLevel(logging.CRITICAL)
warnings.simplefilter("ignore")


class Handler:
    refused = 0

    async def handle_DATA(self, server, session, envelope):
        await asyncio.sleep(options.slow)
        if options.never:
            return f"550 <{envelope.rcpt_tos[0]}>: no such mailbox"
        if self.refused < options.refuse:
            self.refused += 1
            return "451 try again later"
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        part = lambda kind: letter.get_body((kind,)).get_content()
        print(
            json.dumps(
                {
                    "from": envelope.mail_from,
                    "to": envelope.rcpt_tos,
                    "headers": {name: str(value) for name, value in letter.items()},
                    "text": part("plain"),
                    "html": part("html"),
                    "tls": server.transport.get_extra_info("sslcontext") is not None,
                    "login": bool(session.authenticated),
                }
            ),
            flush=True,
        )
        return "250 OK"


def check(server, session, envelope, mechanism, data):
    given = isinstance(data, LoginPassword) and f"{data.login.decode()}:{data.password.decode()}"
    return AuthResult(success=given == options.login, handled=False)


async def main():
    handler = Handler()
    context = None
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate, options.key)
    starttls = context if context and not options.smtps else None

    def connection():
        return SMTP(
            handler,
            tls_context=starttls,
            require_starttls=starttls is not None,
            auth_required=options.login is not None,
            auth_require_tls=context is not None and not options.smtps,
            authenticator=check,
        )

    server = await asyncio.get_running_loop().create_server(
        connection, options.address, 0, ssl=context if options.smtps else None
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    # End with the test, which closes its end of this pipe.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
