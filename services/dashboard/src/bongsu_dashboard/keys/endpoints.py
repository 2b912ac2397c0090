"""`/keys`: the signed-in user's API keys."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from bongsu.runtime.dependencies import Provided
from bongsu.runtime.errors import NotFound
from bongsu_dashboard.errors import KeyLimit, RotatedBefore
from bongsu_dashboard.forms import Draft, Form, FormError, HxDraft, HxForm
from bongsu_dashboard.keys.port import NewSecret
from bongsu_dashboard.keys.schemas import LIFETIMES_DAYS, SCOPES, EntryForm, KeyForm, MemoForm, RotateForm, StatusForm
from bongsu_dashboard.keys.service import Keys
from bongsu_dashboard.pages.dependencies import Rendering, SignedIn, require_confirmation
from bongsu_dashboard.pages.failures import status_of
from bongsu_dashboard.pages.rendering import Render

router = APIRouter(prefix="/keys", include_in_schema=False)

KeysService = Annotated[Keys, Provided(Keys)]
LIST = "/keys"


@router.get("")
async def list_keys(render: Rendering, _user: SignedIn, keys: KeysService, after: UUID | None = None) -> Response:
    return render("keys/list.html", page=await keys.list_keys(render.browser, after))


@router.get("/new", dependencies=[Depends(require_confirmation)])
async def show_new_key(render: Rendering, _user: SignedIn) -> Response:
    return _form_page(render, Draft())


@router.post("")
async def create_key(render: Rendering, _user: SignedIn, keys: KeysService, form: HxDraft[KeyForm]) -> Response:
    try:
        made = await keys.create(render.browser, form.accept())
    except FormError as error:
        return _form_page(render, form.refused_by(error), status_of(error))
    return _secret_page(render, made, rotated=False)


@router.get("/{key_id}")
async def show_key(render: Rendering, _user: SignedIn, keys: KeysService, key_id: UUID) -> Response:
    return await _key_page(render, keys, key_id, Draft())


@router.post("/{key_id}/memo")
async def save_memo(
    render: Rendering, _user: SignedIn, keys: KeysService, form: HxDraft[MemoForm], key_id: UUID
) -> Response:
    try:
        await keys.change_memo(render.browser, key_id, form.accept().memo)
    except FormError as error:
        return await _key_page(render, keys, key_id, form.refused_by(error), status_of(error))
    return render.redirect(f"{LIST}/{key_id}", flash="ok.saved")


@router.post("/{key_id}/status")
async def change_status(
    render: Rendering, _user: SignedIn, keys: KeysService, form: HxForm[StatusForm], key_id: UUID
) -> Response:
    page = f"{LIST}/{key_id}"
    try:
        await keys.change_status(render.browser, key_id, form.status)
    except KeyLimit:
        return render.redirect(page, flash="bad.key_limit")
    return render.redirect(page, flash="ok.key_activated" if form.status == "active" else "ok.key_stopped")


@router.get("/{key_id}/rotate", dependencies=[Depends(require_confirmation)])
async def confirm_rotation(render: Rendering, _user: SignedIn, keys: KeysService, key_id: UUID) -> Response:
    return render("keys/rotate.html", key=await keys.find_key(render.browser, key_id))


@router.post("/{key_id}/rotate")
async def rotate_key(
    render: Rendering, _user: SignedIn, keys: KeysService, form: HxForm[RotateForm], key_id: UUID
) -> Response:
    try:
        made = await keys.rotate(render.browser, key_id, seen=form.seen)
    except RotatedBefore:
        return render.redirect(f"{LIST}/{key_id}/rotate")  # it says what another rotation ends
    return _secret_page(render, made, rotated=True)


@router.get("/{key_id}/delete")
async def confirm_deletion(render: Rendering, _user: SignedIn, keys: KeysService, key_id: UUID) -> Response:
    return render("keys/delete.html", key=await keys.find_key(render.browser, key_id))


@router.post("/{key_id}/delete")
async def delete_key(
    render: Rendering, _user: SignedIn, keys: KeysService, _form: HxForm[Form], key_id: UUID
) -> Response:
    try:
        await keys.delete(render.browser, key_id)
    except NotFound:
        return render.redirect(LIST, flash="note.key_gone")
    return render.redirect(LIST, flash="ok.key_deleted")


@router.post("/{key_id}/allowlist")
async def allow_address(
    render: Rendering, _user: SignedIn, keys: KeysService, form: HxDraft[EntryForm], key_id: UUID
) -> Response:
    try:
        await keys.allow_address(render.browser, key_id, form.accept().cidr)
    except FormError as error:
        return await _key_page(render, keys, key_id, form.refused_by(error), status_of(error))
    return render.redirect(f"{LIST}/{key_id}", flash="ok.address_allowed")


@router.post("/{key_id}/allowlist/{entry_id}/remove")
async def remove_address(
    render: Rendering, _user: SignedIn, keys: KeysService, _form: HxForm[Form], key_id: UUID, entry_id: UUID
) -> Response:
    try:
        await keys.remove_address(render.browser, key_id, entry_id)
    except NotFound:  # removed in another tab
        return render.redirect(f"{LIST}/{key_id}")
    return render.redirect(f"{LIST}/{key_id}", flash="ok.address_removed")


def _form_page(render: Render, form: Draft[KeyForm], status: int = 200) -> Response:
    # An empty form offers every scope; one that was sent keeps its choice.
    chosen = form.values.get("scopes", []) if form.values else [scope.value for scope in SCOPES]
    return render(
        "keys/new.html", status=status, form=form, scopes=SCOPES, chosen=chosen, lifetimes=("", *LIFETIMES_DAYS)
    )


async def _key_page(
    render: Render, keys: Keys, key_id: UUID, form: Draft[MemoForm] | Draft[EntryForm], status: int = 200
) -> Response:
    details = await keys.load(render.browser, key_id)
    return render("keys/key.html", status=status, form=form, key=details.key, entries=details.entries)


def _secret_page(render: Render, made: NewSecret, *, rotated: bool) -> Response:
    # No redirect: no other response contains the secret.
    return render("keys/secret.html", key=made, rotated=rotated)
