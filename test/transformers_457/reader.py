"""Reads a checkpoint with the transformers of its own environment: `reader.py FOLDER TEXT OUT`.

Writes a JSON file with the version of transformers, the type of the weights, and the ids of the
text; and beside it (`.npy`) the logits of these ids, float32, [tokens, words]. Nothing of aura_ros
is imported, because a user of the checkpoint has none of it.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import transformers

folder, text, out = sys.argv[1], sys.argv[2], Path(sys.argv[3])
torch.manual_seed(0)
torch.set_num_threads(1)
tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
model = transformers.AutoModelForImageTextToText.from_pretrained(
    folder, dtype="auto", attn_implementation="eager"
).eval()
ids = tokenizer(text, add_special_tokens=False)["input_ids"]
with torch.no_grad():
    logits = model(input_ids=torch.tensor([ids])).logits[0].float().numpy()
np.save(out.with_suffix(".npy"), logits)
told = {
    "version": transformers.__version__,
    "dtype": str(model.dtype).removeprefix("torch."),
    "silent": tokenizer.convert_tokens_to_ids("<|silent|>"),
    "ids": ids,
}
out.write_text(json.dumps(told))
