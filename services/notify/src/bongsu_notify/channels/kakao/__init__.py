"""Messages to a user's own KakaoTalk, with the user's own token."""
