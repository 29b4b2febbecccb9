"""Sentences that people say near a robot and that are not meant for it.

They measure how often such speech is rejected. `FAR` are unlike the assistant's sentence templates.
`NEAR` begin like them or use their words.
"""

from __future__ import annotations

FAR = (
    "please close the window before you go home",
    "i think it will rain again tomorrow morning",
    "could somebody bring me another cup of coffee",
    "the meeting has been moved to thursday afternoon",
    "my sister lives in a small town near the lake",
    "we should order a pizza for dinner tonight",
    "turn the volume down a little bit please",
    "he said that he would call you back later",
    "this book is much better than the film",
    "where did you park the car yesterday",
    "do not forget to water the plants",
    "she plays the violin in an orchestra",
    "the train leaves at half past seven",
    "how was your weekend in the mountains",
    "i cannot find my glasses anywhere",
    "thank you very much for your help",
    "what time does the supermarket close",
    "good morning everybody and welcome to the show",
    "the weather is lovely today",
    "let us go for a walk in the park",
    "have you ever been to new zealand",
    "it takes about twenty minutes by bus",
    "the battery is almost empty",
    "no i have not read the report yet",
)
NEAR = (
    "tell me a story about a dragon",
    "tell me what you had for lunch",
    "let me know if you need anything else",
    "what do you think about the new office",
    "what is your name",
    "what is the capital of france",
    "how many people are coming to the party",
    "how many days until christmas",
    "is there any milk left in the fridge",
    "is it raining outside",
    "where is the nearest train station",
    "where do you want to go for lunch",
    "do you see what i mean",
    "do you know how to cook rice",
    "what colour is your new bicycle",
    "which bus goes to the airport",
    "put the red cup on the shelf",
    "the blue car is parked over there",
    "the ball rolled under the sofa",
    "she ate an ice cream cone at the beach",
    "there are many stars in the sky tonight",
    "white wine goes well with fish",
    "every time we meet you are late",
    "alert the police if that happens again",
)
SENTENCES = FAR + NEAR
