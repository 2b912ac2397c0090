"""The attacks that sign-in, tokens and keys withstand, and the tests that make each of them over HTTP."""

import pytest

from services.auth.tests.listed_tests import Shown, find_missing

HERE = "services/auth/tests"

TOKENS = f"{HERE}/test_attacks_on_tokens.py"
ACCOUNTS = f"{HERE}/test_attacks_on_accounts.py"
CHANGES = f"{HERE}/test_attacks_on_changes.py"
REGISTER = f"{HERE}/accounts/test_register.py"
VERIFY = f"{HERE}/accounts/test_verify.py"
ME = f"{HERE}/accounts/test_me.py"
KEYS = f"{HERE}/api_keys/test_api_keys.py"
CLIENTS = f"{HERE}/client_sign_in/test_endpoints.py"
EMAILS = f"{HERE}/emails/test_endpoints.py"
MFA = f"{HERE}/mfa/test_endpoints.py"
IDENTITIES = f"{HERE}/oauth/test_identities.py"
ID_TOKENS = f"{HERE}/oauth/test_id_tokens.py"
LINKING = f"{HERE}/oauth/test_linking_rules.py"
PAGES = f"{HERE}/oauth/test_pages.py"
PROFILES = f"{HERE}/oauth/test_profiles.py"
SIGN_IN = f"{HERE}/oauth/test_sign_in.py"
STATES = f"{HERE}/oauth/test_states.py"
PASSWORDS = f"{HERE}/passwords/test_endpoints.py"
LOGIN = f"{HERE}/sessions/test_login.py"
REAUTHENTICATE = f"{HERE}/sessions/test_reauthenticate.py"
REFRESH = f"{HERE}/sessions/test_refresh.py"
SESSIONS = f"{HERE}/sessions/test_sessions.py"
JWKS = f"{HERE}/signing_keys/test_jwks.py"
CALLERS = "shared/tests/identity/test_callers.py"
SIGNATURES = "tests-e2e/test_signatures.py"
TENANTS = "tests-e2e/test_two_tenants.py"
SECRETS = "tests-e2e/test_no_secret_in_plaintext.py"
SCALING = "tests-e2e/compose/test_scaling.py"

ATTACKS: dict[str, Shown] = {
    "1 alg=none": [(TOKENS, "test_token_without_a_signature_is_refused")],
    "2 HS256 with the public key": [(TOKENS, "test_hmac_with_the_public_key_is_refused")],
    "3 jku, jwk, x5u": [(TOKENS, "test_key_that_the_token_brings_is_neither_used_nor_fetched")],
    "4 flood of unknown kids": [(TOKENS, "test_unknown_keys_are_looked_up_once_per_interval")],
    "5 other tokens as an access token": [
        (TOKENS, "test_token_of_another_kind_is_refused_as_an_access_token"),
        (TOKENS, "test_access_token_is_refused_as_any_other_token"),
    ],
    "6 wrong claims": [(TOKENS, "test_wrong_or_missing_claim_is_refused"), (TOKENS, "test_changed_claim_is_refused")],
    "7 tokens of before a rotation": [(JWKS, "test_tokens_of_before_a_rotation_go_on_working")],
    "8 reuse of a refresh token": [
        (REFRESH, "test_lockstep_of_thief_and_owner_ends_the_session_and_notifies_the_owner"),
        (REFRESH, "test_thief_who_uses_the_predecessor_of_a_used_token_ends_the_session"),
    ],
    "9 parallel refreshes": [
        (REFRESH, "test_twenty_concurrent_refreshes_get_one_successor_and_keep_the_session"),
        (REFRESH, "test_twenty_concurrent_uses_of_a_predecessor_get_one_sibling"),
    ],
    "10 tokens of an ended session": [
        (SESSIONS, "test_access_and_refresh_token_are_refused_after_logout"),
        (SESSIONS, "test_tokens_of_a_revoked_session_are_refused"),
        (PASSWORDS, "test_password_is_replaced_and_every_session_ends"),
        (ME, "test_blocked_user_is_signed_out_and_cannot_sign_in"),
        (SCALING, "test_a_session_that_one_auth_ended_is_refused_by_every_service"),
    ],
    "11 parallel registers": [(REGISTER, "test_fifty_concurrent_sign_ups_for_one_address_create_one_account")],
    "12 look-alike addresses": [
        (REGISTER, "test_bad_field_is_named"),
        (REGISTER, "test_spellings_of_one_address_are_one_account"),
        (REGISTER, "test_trailing_dot_is_the_same_or_refused"),
        (LOGIN, "test_address_matches_in_any_spelling"),
    ],
    "13 known and unknown addresses": [
        (ACCOUNTS, "test_known_and_unknown_addresses_get_the_same_answer_in_the_same_time"),
        (REGISTER, "test_known_and_unknown_address_cost_the_same_statements"),
    ],
    "14 guessing": [
        (LOGIN, "test_hundred_concurrent_guesses_reveal_nothing"),
        (LOGIN, "test_known_device_gets_in_when_others_guess_behind_its_address"),
        (LOGIN, "test_many_attackers_lock_out_other_devices_but_not_a_known_one"),
        (MFA, "test_right_code_in_a_burst_of_guesses_is_refused_like_the_others"),
        (VERIFY, "test_unknown_tokens_are_limited_and_a_link_works_beyond_the_limit"),
        (REAUTHENTICATE, "test_guesses_have_to_wait"),
    ],
    "15 forged X-Forwarded-For": [
        (LOGIN, "test_spoofed_forwarding_does_not_reset_the_count"),
        (CALLERS, "test_forwarding_fields_are_ignored_when_no_proxy_is_trusted"),
        (CALLERS, "test_address_comes_from_the_trusted_proxy"),
    ],
    "16 callback in another browser": [
        (STATES, "test_another_browser_is_refused"),
        (IDENTITIES, "test_callback_in_the_browser_of_another_user_is_refused"),
    ],
    "17 states": [
        (STATES, "test_state_works_once"),
        (STATES, "test_state_works_once_in_two_concurrent_callbacks"),
        (STATES, "test_modified_state_is_refused"),
        (STATES, "test_state_of_another_provider_is_refused"),
        (STATES, "test_expired_state_is_refused"),
        (STATES, "test_sign_in_state_links_no_account_to_the_signed_in_user"),
        (CLIENTS, "test_state_of_a_client_is_refused_at_another_provider"),
        (CLIENTS, "test_browsers_state_still_needs_its_cookie"),
    ],
    "18 open redirects": [(PAGES, "test_address_of_another_site_leads_to_the_front_page")],
    "19 forged Host": [
        (REGISTER, "test_forged_host_changes_no_link"),
        (SIGN_IN, "test_forged_host_changes_nothing"),
        (CALLERS, "test_forged_host_is_ignored"),
    ],
    "20 injected scopes": [(SIGN_IN, "test_parameters_of_the_client_are_ignored")],
    "21 no S256, or another's verifier": [
        (SIGN_IN, "test_parameters_of_the_client_are_ignored"),
        (CLIENTS, "test_malformed_request_names_the_field"),
        (CLIENTS, "test_verifier_of_another_client_is_refused_and_voids_the_code"),
    ],
    "22 forged ID tokens": [
        (ID_TOKENS, "test_wrong_claim_is_refused"),
        (ID_TOKENS, "test_other_key_is_refused_and_a_browser_gets_a_page"),
        (CLIENTS, "test_forged_id_token_goes_to_the_client_as_an_error"),
    ],
    "23 unverified address of a victim": [
        (LINKING, "test_unverified_address_is_answered_alike_whether_or_not_it_has_an_account"),
        (LINKING, "test_kakao_address_counts_only_if_valid_and_verified"),
    ],
    "24 squatting": [
        (LINKING, "test_proven_owner_evicts_a_squatter"),
        (LINKING, "test_waiting_sign_up_of_a_squatter_is_deleted"),
        (VERIFY, "test_password_replaces_that_of_the_sign_up"),
    ],
    "25 linking another's account": [
        (IDENTITIES, "test_account_of_another_user_is_refused"),
        (IDENTITIES, "test_concurrent_links_of_one_account_give_it_to_one_user"),
    ],
    "26 unlinking the last way to sign in": [
        (IDENTITIES, "test_only_way_to_sign_in_is_not_unlinked"),
        (IDENTITIES, "test_concurrent_unlinks_keep_one_account"),
    ],
    "27 mass assignment": [
        (REGISTER, "test_bad_field_is_named"),
        (ME, "test_field_that_cannot_be_changed_is_named"),
    ],
    "28 changes without recent authentication": [
        (PASSWORDS, "test_recent_authentication_is_required"),
        (EMAILS, "test_recent_authentication_is_required"),
        (EMAILS, "test_address_changes_when_the_new_one_is_confirmed"),
        (MFA, "test_recent_authentication_is_required"),
        (IDENTITIES, "test_old_sign_in_is_refused"),
        (CHANGES, "test_session_without_it_changes_nothing_until_a_code_was_given"),
    ],
    "29 tokens of a reset": [
        (PASSWORDS, "test_token_works_once_and_voids_the_others"),
        (PASSWORDS, "test_token_of_a_sign_up_is_refused"),
        (PASSWORDS, "test_expired_token_is_refused"),
        (EMAILS, "test_token_works_once_and_for_its_purpose_only"),
        (CHANGES, "test_link_does_not_work_after_the_session_was_revoked"),
    ],
    "30 huge passwords": [
        (REGISTER, "test_two_megabyte_password_is_refused_fast"),
        (REGISTER, "test_long_and_korean_passwords_are_accepted"),
    ],
    "31 tampered requests": [(SIGNATURES, "test_attack_is_refused_like_a_forged_signature")],
    "32 replays and wrong clocks": [
        (SIGNATURES, "test_replay_is_refused_like_a_forged_signature"),
        (SIGNATURES, "test_attack_is_refused_like_a_forged_signature"),
    ],
    "33 unknown and ended keys": [
        (SIGNATURES, "test_attack_is_refused_like_a_forged_signature"),
        (SIGNATURES, "test_ended_key_is_refused_like_a_forged_signature"),
        (CALLERS, "test_answers_are_identical_whatever_the_reason_for_the_refusal"),
    ],
    "34 allow-lists": [
        (KEYS, "test_first_entry_refuses_every_other_address"),
        (KEYS, "test_addresses_beside_a_block_are_refused"),
    ],
    "35 resources of others": [
        (KEYS, "test_keys_and_lists_of_another_user_are_not_found"),
        (SESSIONS, "test_session_of_another_user_is_not_found"),
        (TENANTS, "test_ids_of_another_user_are_not_found"),
    ],
    "36 parallel keys at the limit": [
        (KEYS, "test_limit_holds_for_concurrent_requests"),
        (KEYS, "test_limit_of_entries_holds_for_concurrent_requests"),
    ],
    "37 secrets in plain text": [
        (SECRETS, "test_database_has_none_in_any_column"),
        (SECRETS, "test_log_has_none"),
        (SECRETS, "test_queue_has_none"),
        (SECRETS, "test_staff_are_shown_none"),
    ],
    "38 faults of providers": [
        (PROFILES, "test_error_responses_are_a_clean_result_and_store_nothing"),
        (PROFILES, "test_response_that_arrives_too_slowly_is_a_timeout"),
        (PROFILES, "test_huge_token_is_stored"),
        (PROFILES, "test_missing_fields_are_a_clean_result"),
    ],
    "39 requests of other sites": [
        (ACCOUNTS, "test_change_with_the_cookie_of_the_browser_is_refused_for_every_operation")
    ],
    "40 storms of logins": [
        (LOGIN, "test_event_loop_responds_during_a_storm"),
        (LOGIN, "test_login_gets_503_when_the_queue_is_full"),
    ],
}


def test_list_is_complete() -> None:
    assert [int(attack.partition(" ")[0]) for attack in ATTACKS] == list(range(1, 41))


@pytest.mark.parametrize("attack", ATTACKS)
def test_tests_of_the_attack_exist(attack: str) -> None:
    assert ATTACKS[attack]
    assert find_missing(ATTACKS[attack]) == []
