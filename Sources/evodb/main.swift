print("evodb")
