import pandas as pd


def main(text: pd.Series) -> pd.Series:
    """Upper case, and louder."""
    return text.str.upper() + "!"
