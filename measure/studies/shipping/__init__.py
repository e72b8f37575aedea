"""What a push of an image sends, the next one sends again, and a pull takes; and what fleets of services add up to."""
