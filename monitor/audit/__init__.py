"""Past experiments from their logs, scripts, configurations, dumps and git history: what stands and what doesn't."""
