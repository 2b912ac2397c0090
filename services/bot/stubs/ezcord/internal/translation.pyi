from collections.abc import Callable, Mapping

load_lang: Callable[[str], Mapping[str, Mapping[str, str]]]
inspect: object

def tr(key: str, *args: str) -> str: ...
