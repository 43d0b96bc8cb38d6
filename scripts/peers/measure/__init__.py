"""What scripts/bench measures, and how. Read run.py (time and memory), then a job, then report.py."""
