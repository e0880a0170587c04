"""The Azure side: which operation a request is, and who answers it. One account, addressed in the path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from xml.sax.saxutils import escape

from tests.cloud import azure_auth
from tests.cloud.azure_answers import AzureError, common_headers, error_reply, http_date, plain_error, xml_reply
from tests.cloud.azure_blocks import get_block_list, put_block, put_block_list
from tests.cloud.azure_fetch import Fetch, Puller
from tests.cloud.azure_names import check_container_name, service_name
from tests.cloud.azure_read import delete_blob, lease_blob, list_blobs, read_blob, set_tier
from tests.cloud.azure_state import Account, Container
from tests.cloud.azure_write import put_blob
from tests.cloud.specs import Settings
from tests.cloud.wire import Reply, Request

ACCOUNT: Final = "devstoreaccount1"
Operation = Callable[[Account, Container, Request, float], Reply]

_BLOB_OPERATIONS: Final = {
    ("PUT", ""): "PutBlob",
    ("PUT", "block"): "PutBlock",
    ("PUT", "blocklist"): "PutBlockList",
    ("PUT", "tier"): "SetBlobTier",
    ("PUT", "lease"): "LeaseBlob",
    ("GET", ""): "GetBlob",
    ("GET", "blocklist"): "GetBlockList",
    ("HEAD", ""): "GetBlobProperties",
    ("DELETE", ""): "DeleteBlob",
}
_CONTAINER_OPERATIONS: Final = {
    ("PUT", ""): "CreateContainer",
    ("GET", ""): "GetContainerProperties",
    ("HEAD", ""): "GetContainerProperties",
    ("DELETE", ""): "DeleteContainer",
    ("GET", "list"): "ListBlobs",
    ("GET", "properties"): "GetAccountInformation",
}


class AzureService:
    """The one account. `fetch` reaches the S3 side for copies from URLs."""

    def __init__(self, clock: Callable[[], float], fetch: Fetch) -> None:
        self._clock = clock
        puller = Puller(fetch)
        self._operations: dict[str, Operation] = {
            "PutBlob": put_blob, "PutBlock": put_block, "PutBlockList": put_block_list,
            "PutBlobFromURL": puller.put_blob, "PutBlockFromURL": puller.put_block,
            "GetBlob": read_blob, "GetBlobProperties": read_blob, "GetBlockList": get_block_list,
            "DeleteBlob": delete_blob, "SetBlobTier": set_tier, "LeaseBlob": lease_blob, "ListBlobs": list_blobs,
            "GetContainerProperties": _container_properties, "DeleteContainer": _delete_container,
        }
        self.clear()

    def clear(self) -> None:
        self.account = Account()
        self.settings = Settings()

    def identify(self, request: Request) -> None:
        _, _, rest = request.path[1:].partition("/")  # behind the account
        container, slash, name = rest.partition("/")
        request.container = container
        request.key = name if slash else ""
        request.operation = _operation(request)
        if not request.key:
            return
        try:
            request.key = service_name(name)
        except AzureError:
            request.operation = "InvalidName"

    def handle(self, request: Request) -> Reply:
        now = self._clock()
        try:
            return self._answer(request, now)
        except AzureError as error:
            return error_reply(error, request, now)

    def _answer(self, request: Request, now: float) -> Reply:
        azure_auth.allow(request, now, self.settings.bearer)
        if request.operation == "InvalidName":
            service_name(request.key)
        if request.operation == "ListContainers":
            return self._list_containers(now)
        if request.operation == "GetAccountInformation":
            return Reply(200, common_headers(now) | {
                "x-ms-sku-name": "Standard_LRS", "x-ms-account-kind": "StorageV2",
                "x-ms-is-hns-enabled": str(self.settings.hierarchical).lower()})
        if request.operation == "CreateContainer":
            return self._create_container(request, now)
        operation = self._operations.get(request.operation)
        if operation is None:
            raise AzureError(405, "UnsupportedHttpVerb")
        return operation(self.account, self.account.container(request.container), request, now)

    def failure(self, request: Request, status: int, code: str, message: str = "") -> Reply:
        return error_reply(plain_error(status, code, message), request, self._clock())

    def busy(self, request: Request) -> Reply:
        return self.failure(request, 503, "ServerBusy")

    def expired(self, request: Request) -> Reply:
        return error_reply(azure_auth.expired(), request, self._clock())

    def make_container(self, name: str) -> Container:
        """The container, made if it is not there."""
        found = self.account.containers.get(name)
        if found is None:
            found = Container(name, self.account.next_etag(), float(int(self._clock())))
            self.account.containers[name] = found
        return found

    def _create_container(self, request: Request, now: float) -> Reply:
        check_container_name(request.container)
        if request.container in self.account.containers:
            raise AzureError(409, "ContainerAlreadyExists")
        return Reply(201, common_headers(now) | _facts(self.make_container(request.container)))

    def _list_containers(self, now: float) -> Reply:
        inner = "".join(
            f"<Container><Name>{escape(one.name)}</Name></Container>" for one in self.account.containers.values())
        return xml_reply(200, common_headers(now),
                         f"<EnumerationResults><Containers>{inner}</Containers><NextMarker /></EnumerationResults>")


def _operation(request: Request) -> str:
    comp = request.params.get("comp", "")
    if not request.container:
        return "ListContainers" if comp == "list" else "Unknown"
    if not request.key:
        return _CONTAINER_OPERATIONS.get((request.method, comp), "Unknown")
    operation = _BLOB_OPERATIONS.get((request.method, comp), "Unknown")
    if "x-ms-copy-source" in request.headers and operation in ("PutBlob", "PutBlock"):
        return operation + "FromURL"
    return operation


def _facts(container: Container) -> dict[str, str]:
    return {"ETag": f'"{container.etag}"', "Last-Modified": http_date(int(container.modified))}


def _container_properties(account: Account, container: Container, request: Request, now: float) -> Reply:
    return Reply(200, common_headers(now) | _facts(container) | {
        "x-ms-lease-status": "unlocked", "x-ms-lease-state": "available"})


def _delete_container(account: Account, container: Container, request: Request, now: float) -> Reply:
    del account.containers[container.name]
    return Reply(202, common_headers(now))
