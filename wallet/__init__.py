"""The wallet: citizens receive credentials, keep them encrypted and present them by consent."""
