"""Annotations in the formats of the public benchmarks."""

from __future__ import annotations

OPTIONS = ["A. one", "B. two", "C. three", "D. four"]


def sb_question(time: str, answer: str, task: str = "Counting", options=OPTIONS) -> dict:
    return {
        "task_type": task,
        "question": f"How many at {time}?",
        "time_stamp": time,
        "answer": answer,
        "options": options,
        "required_ability": "working memory",
    }


def sb_entry(video: str, *questions: dict) -> dict:
    return {
        "time": "[0:00:00 - 0:00:10]",
        "questions": list(questions),
        "video_categories": "x",
        "video_path": video,
    }


PROACTIVE = {
    "task_type": "Proactive Output",
    "question": 'When it is 3, output "3".',
    "time_stamp": "00:00:02",
    "ground_truth_time_stamp": "00:00:06",
    "ground_truth_output": "3",
    "required_ability": "working memory",
}


def ovo(id: int, task: str, realtime: float, gt: int) -> dict:
    return {
        "id": id,
        "task": task,
        "video": f"src/{id}.mp4",
        "realtime": realtime,
        "question": "What?",
        "answer": "x",
        "options": ["v", "w", "x"],
        "gt": gt,
    }


OVO = [
    ovo(0, "EPM", 9, 2),
    ovo(1, "ASI", 4, 0),
    ovo(2, "OCR", 3.5, 1),
    {
        "id": 3,
        "task": "REC",
        "video": "r.mp4",
        "activity": "jump",
        "start_times": [1],
        "end_times": [2],
        "test_info": [{"realtime": 5, "count": 1}, {"realtime": 9.0, "count": 12}],
    },
    {
        "id": 4,
        "task": "SSR",
        "video": "s.mp4",
        "tutorial": "t",
        "all_steps": ["cut"],
        "start_time": [1],
        "end_time": [2],
        "test_info": [
            {"realtime": 4, "step": "cut", "type": 0},
            {"realtime": 6, "step": "cut", "type": 1},
        ],
    },
    {
        "id": 5,
        "task": "CRR",
        "video": "c.mp4",
        "question": "Why?",
        "answer": "a",
        "ask_time": 2,
        "clue_time": 5,
        "test_info": [{"realtime": 3, "type": 0}],
    },
]


def pro(id: str, task: str, *triggers: dict, **fields) -> dict:
    return {
        "id": id,
        "task": task,
        "video_path": f"raw_videos/{id}.mp4",
        "duration": 60,
        "question": "Tell me.",
        "question_time": "00:04",
        "audio_dependency": "none",
        "ground_truth": list(triggers),
    } | fields


def trigger(at_s: float, **fields) -> dict:
    return {
        "trigger_time_sec": at_s,
        "trigger_type": "visual",
        "response": f"it is {at_s:g}",
    } | fields


FAST = {
    "video_path": "dataset/qa_video/sample-0/original_cut.mp4",
    "verified_responses": [
        {
            "time_type": "forward",
            "timestamp_question": "00:03",
            "timestamp_proactive": "00:09",
            "user_query": "How often does it bounce?",
            "response": "twice",
            "capability": "Action",
            "timestamp_focus": "00:08",
        },
        {
            "time_type": "instant",
            "timestamp_question": "00:12",
            "user_query": "Which one?",
            "response": "B",
            "options": ["A. red", "B. blue"],
        },
    ],
}
COUNT = {
    "id": "q1",
    "source_dataset": "rooms",
    "video_path": "v.mp4",
    "question": "How many chairs so far?",
    "counting_subtype": "O2-Unique",
    "query_time": 4,
    "count": 2,
}
KITCHEN = {
    "id": 1,
    "video": "P01-20240202-171220",
    "realtime": "00:05",
    "question": "Where is the pan?",
    "options": ["on the hob", "in the sink", "away", "here"],
    "gt": 1,
    "task": "OL",
}
GAZE = {
    "video_path": "v.mp4",
    "questions": [
        {
            "question": "What was looked at?",
            "time_stamp": "00:07",
            "answer": "A",
            "options": ["A. a cup", "B. a pan", "C. a cat", "D. a dog"],
        }
    ],
}
GAZE_ALERT = {
    "video_path": "v.mp4",
    "questions": [
        {
            "question": "Alert me when I look at a plate.",
            "time_stamp": "00:02",
            "test_info": [{"realtime": "00:05", "type": 0}, {"realtime": "00:09", "type": 1}],
        }
    ],
}
REMIND = {
    "id": "1",
    "question_text": "Remind me when the cup is picked up.",
    "answer1": "",
    "reminder1": "10.5",
    "reminder2": 30,
    "video_duration": 50.0,
}
PROACTIVE_QA = {
    "video": "a.mp4",
    "question_id": "a%1",
    "duration": 30.0,
    "conversation": [{"role": "user", "content": "What is done?", "time": 0}],
    "answer": [
        {"content": "cut wood", "related_timespan": [4, 8], "reply_timespan": [4, 12]},
        {"content": "paint it", "reply_timespan": [20, 24]},
    ],
}
