"""mAP and Recall@kx as the benchmarks define them: the score of 03_eval."""
