select meeting_reminder_minutes, morning_brief_local_time, quiet_hours_start, quiet_hours_end, time_zone,
    high_risk_requires_confirm
from alfred.user_preferences where user_id = :user;
