"""infra/ held against the app, and what is deployed held against what runs."""
