from typing import Any
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

async def test_simple(sandbox: Any, ses: Any) -> None:
    r = await ses.send_email(FromEmailAddress="=?utf-8?b?67SJ7IiY?= <a@b.co>", Destination={"ToAddresses":["x@y.zz"]},
        Content={"Simple":{"Subject":{"Data":"안녕 🔥","Charset":"UTF-8"},"Body":{"Text":{"Data":"본문","Charset":"UTF-8"}}}}, EmailTags=[{"Name":"delivery_id","Value":"1"}])
    print(r)
    print(await sandbox.mailbox(), await sandbox.ledger())
    print(await ses.get_account())
    for k in ["reset","accept_then_reset","hang","accept_then_hang","throttle","quota","error","unavailable"]:
        await sandbox.fault(k)
        try:
            await ses.send_email(FromEmailAddress="a@b.co", Destination={"ToAddresses":["x@y.zz"]},
        Content={"Simple":{"Subject":{"Data":"안녕 🔥","Charset":"UTF-8"},"Body":{"Text":{"Data":"본문","Charset":"UTF-8"}}}}, EmailTags=[{"Name":"delivery_id","Value":"1"}])
        except Exception as e: print(k, type(e), repr(e), getattr(e,'response',None))
        else: print(k,"??")
        print(len(await sandbox.ledger()))
        await sandbox.clear_faults()
