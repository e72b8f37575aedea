"""What a push of an image sends, the next one sends again, and a pull takes."""
