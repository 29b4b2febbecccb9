"""Exchange of training data with other projects: import of their files, export of ours.

entries.py      files of JSON values, with the line of each value
joyai.py        annotations of JoyAI-VL-Interaction       -> Talk
captions.py     captions with times (JSON, SRT, WebVTT)   -> Talk
conversations.py  questions with answers about images, videos or nothing -> Offline
timed.py        Talk -> Conversation on clips
importing.py    writes the run folder of an import
export.py       samples to Parquet, WebDataset or a folder of Hugging Face `datasets`, and back
"""
