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
