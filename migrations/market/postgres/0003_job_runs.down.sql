-- IF EXISTS, because this also undoes a run that was killed half-way.

DROP TABLE IF EXISTS job_runs;
