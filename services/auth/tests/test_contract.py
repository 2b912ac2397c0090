"""What auth promises its clients, statement by statement, and the tests that show it over HTTP."""

import pytest

from services.auth.tests.listed_tests import Shown, find_missing

HERE = "services/auth/tests"
REGISTER, VERIFY, ME, DELETION = (
    f"{HERE}/accounts/test_{name}.py" for name in ("register", "verify", "me", "deletion")
)
LOGIN, REFRESH, RENEW, SESSIONS, REAUTHENTICATE = (
    f"{HERE}/sessions/test_{name}.py" for name in ("login", "refresh", "renew", "sessions", "reauthenticate")
)
SIGN_IN, STATES, IDENTITIES, LINKING, PROFILES, INSTALLS = (
    f"{HERE}/oauth/test_{name}.py"
    for name in ("sign_in", "states", "identities", "linking_rules", "profiles", "installs")
)
PASSWORDS, EMAILS, MFA, CLIENTS, EXPORTS, USERS, DISCORD_TOKENS, KAKAO_TOKENS = (
    f"{HERE}/{name}/test_endpoints.py"
    for name in (
        *("passwords", "emails", "mfa", "client_sign_in", "exports", "users"),
        *("discord_tokens", "kakao_tokens"),
    )
)
KEYS = f"{HERE}/api_keys/test_api_keys.py"
GUILDS = f"{HERE}/guilds/test_guilds.py"
AUDIT = f"{HERE}/audit/test_audit.py"
ASSERTIONS = f"{HERE}/assertions/test_assertions.py"
JWKS = f"{HERE}/signing_keys/test_jwks.py"
ROTATION = f"{HERE}/signing_keys/test_service.py"
NOTICES = f"{HERE}/notices/test_service.py"
APP = f"{HERE}/test_app.py"
ACCOUNTS = f"{HERE}/test_attacks_on_accounts.py"
BROWSERS = f"{HERE}/test_attacks_on_browsers.py"
IDENTITY = "shared/tests/identity"
CALLERS, COOKIES, REVOCATIONS, SIGNATURES, TOKENS, SCOPES = (
    f"{IDENTITY}/test_{name}.py" for name in ("callers", "cookies", "revocations", "signatures", "tokens", "scopes")
)
HTTP = "shared/tests/runtime/test_http.py"
DISPATCHER = "launcher/tests/test_dispatcher.py"
EVENTS = "launcher/tests/test_account_events.py"
NOTIFY = "services/notify/tests/notifications/test_endpoints.py"
E2E_SIGNATURES, TENANTS, SECRETS, LEFT_ALONE, IN_A_BROWSER, KAKAO_MESSAGES = (
    f"tests-e2e/test_{name}.py"
    for name in (
        *("signatures", "two_tenants", "no_secret_in_plaintext", "left_alone", "guilds_in_a_browser"),
        "kakao_messages",
    )
)
CONTAINERS = "tests-e2e/compose/test_containers.py"

PROMISES: dict[str, Shown] = {
    "internal routes are not routed from outside": [
        (DISPATCHER, "test_internal_paths_are_not_found"),
        (CONTAINERS, "test_internal_routes_are_not_routed"),
    ],
    "OpenAPI document and its pages": [
        (APP, "test_document_lists_every_route"),
        (APP, "test_documentation_pages_exist"),
    ],
    "/healthz, /metrics": [(APP, "test_process_is_alive"), (APP, "test_metrics_count_requests_by_route")],
    "errors are problems that name the field": [
        (HTTP, "test_each_kind_has_its_status_and_code"),
        (HTTP, "test_unknown_field_is_named"),
        (HTTP, "test_retry_after_is_in_whole_seconds"),
    ],
    "X-Request-Id in and out": [
        (HTTP, "test_each_request_gets_an_id"),
        (HTTP, "test_id_of_the_client_is_kept"),
    ],
    "CORS for listed origins": [
        (BROWSERS, "test_page_of_an_allowed_origin_calls_with_a_token_alone"),
        (BROWSERS, "test_other_origins_read_nothing"),
    ],
    "another's resource is 404": [(TENANTS, "test_ids_of_another_user_are_not_found")],
    "a key without the scope is 403": [(TENANTS, "test_key_that_lacks_the_scope_is_refused")],
    "each role includes the one before": [(SCOPES, "test_each_role_includes_the_one_before")],
    "keys manage neither keys nor accounts": [
        (KEYS, "test_key_cannot_create_keys"),
        (SCOPES, "test_keys_cannot_have_the_account_scope"),
    ],
    "a new account is on trial": [
        (NOTIFY, "test_trial_account_sends_only_to_itself_and_to_the_simulator"),
        (NOTIFY, "test_trial_ends_when_the_account_is_approved"),
        (USERS, "test_administrator_promotes_and_approves"),
    ],
    "register: 202 and the same work for every address": [
        (REGISTER, "test_owner_of_a_known_address_gets_a_mail_and_the_response_is_the_same"),
        (REGISTER, "test_known_and_unknown_address_cost_the_same_statements"),
        (ACCOUNTS, "test_known_and_unknown_addresses_get_the_same_answer_in_the_same_time"),
    ],
    "verify: another browser sets the password": [
        (VERIFY, "test_browser_that_signed_up_needs_no_password"),
        (VERIFY, "test_password_replaces_that_of_the_sign_up"),
        (VERIFY, "test_password_follows_the_policy_and_the_link_stays_valid"),
    ],
    "verify/resend: 202": [
        (VERIFY, "test_mail_is_sent_again_with_the_same_link"),
        (VERIFY, "test_address_without_a_sign_up_gets_the_same_response_and_no_mail"),
    ],
    "login before verification is a wrong password": [
        (REGISTER, "test_login_before_verification_responds_like_a_wrong_password")
    ],
    "login: tokens, or cookies": [
        (LOGIN, "test_right_password_gives_tokens"),
        (LOGIN, "test_tokens_are_in_cookies_and_not_in_the_body"),
    ],
    "mfa/verify, mfa/totp, mfa/recovery-codes": [
        (MFA, "test_code_completes_the_sign_in"),
        (MFA, "test_sign_in_takes_a_code_once_the_first_was_sent"),
        (MFA, "test_recovery_code_works_once_in_any_spelling"),
        (MFA, "test_new_recovery_codes_replace_the_earlier_ones"),
        (MFA, "test_sign_in_takes_no_code_afterwards_and_the_owner_is_notified"),
    ],
    "refresh by body or cookie": [
        (REFRESH, "test_new_tokens_keep_the_session_and_the_time_of_the_sign_in"),
        (LOGIN, "test_refresh_by_cookie_sets_new_cookies"),
    ],
    "session/renew: 303, or 307 with the form": [
        (RENEW, "test_browser_gets_new_cookies"),
        (RENEW, "test_form_is_sent_again_with_new_cookies"),
        (LEFT_ALONE, "test_form_that_is_posted_is_not_lost"),
    ],
    "logout": [
        (SESSIONS, "test_access_and_refresh_token_are_refused_after_logout"),
        (LOGIN, "test_logout_deletes_the_cookies"),
    ],
    "reauthenticate, for ten minutes": [
        (REAUTHENTICATE, "test_new_token_has_the_new_auth_time"),
        (PASSWORDS, "test_recent_authentication_is_required"),
        (EMAILS, "test_recent_authentication_is_required"),
        (MFA, "test_recent_authentication_is_required"),
        (IDENTITIES, "test_old_sign_in_is_refused"),
        (KEYS, "test_new_secrets_require_one"),
    ],
    "password/forgot, password/reset": [
        (PASSWORDS, "test_owner_gets_a_link_in_their_language"),
        (PASSWORDS, "test_response_to_an_unknown_address_is_the_same_and_sends_nothing"),
        (PASSWORDS, "test_password_is_replaced_and_every_session_ends"),
    ],
    "PUT password": [
        (PASSWORDS, "test_password_changes_and_other_sessions_end"),
        (PASSWORDS, "test_account_without_a_password_sets_one"),
    ],
    "PUT email: confirmed by the new address, the old one is notified": [
        (EMAILS, "test_address_changes_when_the_new_one_is_confirmed"),
        (EMAILS, "test_response_for_a_taken_address_is_the_same_and_its_owner_gets_no_link"),
    ],
    "GET, PATCH, DELETE me": [
        (ME, "test_missing_field_stays_as_it_is"),
        (ME, "test_field_that_cannot_be_changed_is_named"),
        (DELETION, "test_account_and_everything_of_it_is_deleted"),
    ],
    "me/export": [(EXPORTS, "test_everything_of_the_user_is_exported_and_nothing_of_others")],
    "sessions: list, end one, end all others": [
        (SESSIONS, "test_sessions_are_listed_newest_first"),
        (SESSIONS, "test_tokens_of_a_revoked_session_are_refused"),
        (SESSIONS, "test_every_other_session_ends"),
    ],
    "events of deleted, blocked and promoted users": [
        (DELETION, "test_owner_and_the_other_services_are_notified"),
        (EVENTS, "test_waiting_notifications_are_cancelled_and_the_owner_is_notified"),
        (EVENTS, "test_bot_forgets_the_user_and_keeps_the_history_of_the_server"),
    ],
    "OAuth in a browser": [
        (SIGN_IN, "test_redirect_has_state_and_s256_and_sets_a_flow_cookie"),
        (SIGN_IN, "test_first_sign_in_creates_an_account_and_redirects_to_next"),
        (IN_A_BROWSER, "test_sign_in_keeps_next_and_fills_the_profile"),
    ],
    "OAuth for API clients": [
        (CLIENTS, "test_code_gives_tokens_of_a_session"),
        (CLIENTS, "test_other_redirect_uri_is_refused"),
        (CLIENTS, "test_verifier_of_another_client_is_refused_and_voids_the_code"),
    ],
    "linking, listing and unlinking": [
        (IDENTITIES, "test_linked_account_signs_in"),
        (IDENTITIES, "test_user_sees_own_accounts_only"),
        (IDENTITIES, "test_unlinked_account_does_not_sign_in"),
        (IDENTITIES, "test_only_way_to_sign_in_is_not_unlinked"),
        (LINKING, "test_proven_owner_evicts_a_squatter"),
    ],
    "state is a one-time row": [
        (STATES, "test_state_works_once"),
        (STATES, "test_row_has_neither_state_nor_verifier_in_plain_text"),
    ],
    "GET providers": [(SIGN_IN, "test_list_has_the_configured_providers")],
    "extra profile fills what is empty and fails no sign-in": [
        (PROFILES, "test_google_people_fill_the_extra_profile"),
        (PROFILES, "test_kakao_fills_every_field"),
        (PROFILES, "test_discord_fills_name_picture_and_language"),
        (PROFILES, "test_filled_fields_are_kept"),
        (PROFILES, "test_failed_fetch_fails_no_sign_in_and_is_retried"),
    ],
    "guilds: cached for 60 s, one flight": [
        (GUILDS, "test_list_is_cached_for_a_minute"),
        (GUILDS, "test_fresh_list_is_fetched_now"),
        (GUILDS, "test_fifty_concurrent_requests_fetch_once"),
    ],
    "installs believe the token response only": [
        (INSTALLS, "test_authorization_url_is_exact"),
        (INSTALLS, "test_guild_in_the_callback_is_ignored"),
    ],
    "API keys: secret once, rotation, status, allow-list, limits": [
        (KEYS, "test_secret_is_shown_once"),
        (KEYS, "test_both_secrets_work_for_the_overlap"),
        (KEYS, "test_stopped_key_is_refused_until_it_is_activated"),
        (KEYS, "test_expired_key_makes_room_and_no_longer_works"),
        (KEYS, "test_first_entry_refuses_every_other_address"),
        (KEYS, "test_limit_holds_for_concurrent_requests"),
        (KEYS, "test_limit_of_entries_holds_for_concurrent_requests"),
    ],
    "users: managers block, administrators promote": [
        (USERS, "test_block_ends_sessions_and_unblock_lets_sign_in_again"),
        (USERS, "test_manager_gives_no_role_and_approves_no_sender"),
        (USERS, "test_accounts_are_found_by_address_and_role_in_pages"),
    ],
    "audit": [
        (AUDIT, "test_user_sees_own_entries_only"),
        (AUDIT, "test_manager_sees_entries_of_every_user"),
    ],
    "access token: claims, type and key": [
        (TOKENS, "test_claims_are_those_of_the_subject"),
        (TOKENS, "test_header_names_the_type_and_the_key"),
        (TOKENS, "test_lifetime_beyond_the_maximum_is_refused"),
    ],
    "JWKS and rotation": [
        (JWKS, "test_only_public_halves_are_published"),
        (JWKS, "test_next_key_is_published_before_it_signs"),
        (ROTATION, "test_old_key_gets_one_successor_however_many_replicas_look"),
        (ROTATION, "test_operator_rotates_a_young_key"),
    ],
    "refresh: grace, sibling, end of the session": [
        (REFRESH, "test_predecessor_gives_the_same_successor_within_the_grace"),
        (REFRESH, "test_predecessor_gives_a_sibling_after_the_grace"),
        (REFRESH, "test_lockstep_of_thief_and_owner_ends_the_session_and_notifies_the_owner"),
    ],
    "revocation within the bound": [
        (REVOCATIONS, "test_every_token_of_the_session_is_denied_after_a_poll"),
        (REVOCATIONS, "test_feed_is_stale_after_five_seconds"),
        (CALLERS, "test_changes_are_refused_while_revocations_are_unknown"),
        (CALLERS, "test_token_is_refused_when_it_is_older_than_a_role_change"),
    ],
    "signed requests": [
        (SIGNATURES, "test_claim_has_the_label_and_the_parameters"),
        (SIGNATURES, "test_error_names_a_missing_component"),
        (SIGNATURES, "test_signature_within_thirty_seconds_is_fresh"),
        (SIGNATURES, "test_sha_512_digest_is_accepted"),
        (SIGNATURES, "test_request_gets_a_new_signature_when_it_is_sent_again"),
        (E2E_SIGNATURES, "test_attack_is_refused_like_a_forged_signature"),
        (E2E_SIGNATURES, "test_replay_is_refused_like_a_forged_signature"),
    ],
    "assertions": [
        (ASSERTIONS, "test_assertion_is_valid_for_its_action_only"),
        (ASSERTIONS, "test_assertion_is_denied_when_its_session_ends"),
    ],
    "the bot gets a linked user's token": [
        (DISCORD_TOKENS, "test_token_acts_as_the_linked_user_for_a_minute"),
        (DISCORD_TOKENS, "test_other_credentials_are_refused"),
    ],
    "notify gets a linked user's fresh Kakao token": [
        (KAKAO_TOKENS, "test_token_that_is_about_to_expire_is_renewed"),
        (KAKAO_TOKENS, "test_parallel_calls_renew_once"),
        (KAKAO_TOKENS, "test_credential_of_notify_opens_no_other_internal_route"),
        (KAKAO_MESSAGES, "test_message_arrives_in_the_chat_of_the_user"),
    ],
    "cookies: names, paths, attributes": [
        (COOKIES, "test_names_have_prefixes_when_the_url_is_https"),
        (COOKIES, "test_refresh_cookie_is_sent_to_auth_only"),
        (BROWSERS, "test_only_the_refresh_cookie_can_be_set_by_a_subdomain"),
    ],
    "owners get mails of what changes": [
        (NOTICES, "test_owner_gets_a_mail_and_the_event_is_in_the_audit_log"),
        (SESSIONS, "test_owner_is_notified_of_a_new_device_but_not_of_the_first"),
        (IDENTITIES, "test_owner_gets_a_mail_of_linking_and_unlinking"),
    ],
    "no secret in plain text": [
        (SECRETS, "test_database_has_none_in_any_column"),
        (SECRETS, "test_log_has_none"),
        (SECRETS, "test_queue_has_none"),
        (SECRETS, "test_staff_are_shown_none"),
    ],
}


@pytest.mark.parametrize("promise", PROMISES)
def test_tests_of_the_promise_exist(promise: str) -> None:
    assert PROMISES[promise]
    assert find_missing(PROMISES[promise]) == []
