/// What the simulated language model says in the story, by contract.
enum StoryModel {
    static let headline = "A review, then a flight"

    static let tomorrow = """
        {"version":"2026-02-15","output":{"title":"Tomorrow","summary":"Nothing is planned for tomorrow.",\
        "key_points":[],"follow_ups":[]}}
        """

    static let answers = [
        "meetings_summary": """
        {"version":"2026-02-15","output":{"title":"Your meetings","summary":"One thing to prepare: the design review.",\
        "key_points":["Design review"],"follow_ups":["Read the draft before the review."]}}
        """,
        "morning_brief": """
        {"version":"2026-02-15","output":{"headline":"\(headline)",\
        "summary":"One meeting, and Grace waits for your answer.","priorities":["Confirm the seats"],\
        "schedule":["Design review"],"alerts":["The flight was moved to 18:10"]}}
        """,
        "urgent_email_summary": """
        {"version":"2026-02-15","output":{"should_notify":true,"urgency":"high",\
        "summary":"Grace needs the new seats confirmed by noon.","reason":"A deadline today.",\
        "suggested_actions":["Confirm the seats"]}}
        """,
    ]
}
