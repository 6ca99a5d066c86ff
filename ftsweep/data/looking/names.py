"""Names that columns of a task have in people's rows, the likeliest first."""

from __future__ import annotations

TEXTS = (
    *("text", "sentence", "content", "review", "comment", "tweet", "body", "message", "document", "utterance", "utt"),
    *("texto", "texte", "testo", "tekst", "текст", "文本", "评论", "本文", "テキスト"),
)
FIRSTS = ("premise", "sentence1", "question1", "text1", "text_a", "query", "question", "sentence_a")
SECONDS = ("hypothesis", "sentence2", "question2", "text2", "text_b", "text_pair", "passage", "context", "sentence_b")
LABELS = (
    "label",
    "labels",
    "class",
    "category",
    "sentiment",
    "emotion",
    "intent",
    "topic",
    "target",
    "y",
    "tag",
    "stance",
    *("etiqueta", "étiquette", "etichetta", "klasse", "classe", "clase", "kategorie", "categoria", "categoría"),
    *("catégorie", "метка", "класс", "категория", "标签", "类别", "ラベル", "カテゴリ"),
)
JUDGED = ("polarity", "spam", "is_spam", "toxic", "is_toxic", "toxicity", "offensive", "hate", "gold", "verdict")
"""Of classes, too; but several of them beside each other are labels that a row may have several of."""
RATINGS = ("stars", "rating", "score", "grade", "overall")
"""Of few whole numbers: classes, where no column is named like a label."""
ASKED_AND_ANSWERED = (
    ("user", "assistant"),
    ("human", "assistant"),
    ("human", "gpt"),
    ("human", "bot"),
    ("user", "bot"),
)
ANNOTATORS = ("annotator", "annotators", "worker", "workers", "rater", "raters")
"""Words in the names of columns that say what each of several people thought."""
NUMBERS = ("score", "rating", "similarity", "value", "price", "stars", "grade", "label", "target", "y")
LISTS = ("labels", "label", "tags", "categories", "topics", "genres", "classes", "emotions")
PLURALS = ("labels", "tags", "categories", "topics", "genres", "classes", "emotions")
"""Names of columns whose texts may be parted by commas, too."""
TOKENS = ("tokens", "words", "token")
TAGS = ("tags", "ner_tags", "ner", "pos_tags", "labels", "tag")
PROMPTS = ("prompt", "instruction", "question", "query", "input", "source", "problem", "inputs")
COMPLETIONS = ("completion", "response", "output", "answer", "target", "solution", "answers", "chosen", "targets")
LONG_TEXTS, SHORT_TEXTS = ("document", "article", "dialogue", "text"), ("summary", "highlights", "abstract")
"""Texts, and what is written of them where nothing else in the rows is an answer."""
CHATS = ("messages", "conversations")
ALPACA = ("instruction", "input", "output", "history")
BESIDE = ("system", "tools", "functions")
"""What the task `instruction` reads beside a conversation of any shape."""
_PARTS = ("text", "message", "other")
SYSTEMS = {
    "system_prompt": ("text",),
    "system_message": ("text",),
    "systemInstruction": _PARTS,
    "system_instruction": _PARTS,
}
"""Other names of a system message, and what such columns hold."""
PARTS_OF_ROWS = (
    *("is_train", "is_valid", "is_validation", "is_val", "is_test", "fold", "folds", "kfold", "cv_fold", "ml_use"),
)
"""Columns that say which part of the data a row is in."""
NOT_DATA = (
    *("id", "idx", "index", "uuid", "guid", "url", "date", "timestamp", "split", "repo", "repository", "sha", ""),
    *PARTS_OF_ROWS,
)
ABOUT_ROWS = (
    *("gender", "sex", "age", "language", "lang", "langue", "sprache", "idioma", "country", "source", "user", "author"),
    *("platform", "device", "month", "year", "day", "weekday", "genero", "género"),
)
"""Columns that say who or where a row is from: labels where there is no other."""
PLACES = ("answer_start", "start", "starts", "begin", "offset", "offsets", "ends")
"""Words in the names of columns that hold places in a text."""
ABOUT_CHATS = (
    *("lang", "language", "source", "dataset", "origin", "model", "split", "subset", "license", "template", "task"),
    *("turns", "length", "tokens"),
)
"""Words in the names of columns that say where a conversation is from or how long it is, and no label of it."""
TO_LEARN = {*TEXTS, *LABELS, *LISTS, *TOKENS, *TAGS, *PROMPTS, *COMPLETIONS, *CHATS, "rejected"} - {"source"}
"""Names without which rows are not what they seem to be."""
