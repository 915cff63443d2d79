"""What a political campaign cost, told on its page at any time: its transparency notice shows it at once."""

from fastapi import APIRouter
from starlette.responses import Response

from scheduler.notice import tell_spent
from web.access import Editor
from web.view import go

router = APIRouter()


@router.post("/campaigns/{campaign_id}/spent")
async def spent(visit: Editor, campaign_id: int) -> Response:
    """Bills come late: nothing else of a campaign that has left can be changed."""
    async with visit.context.database.write() as session:
        await tell_spent(session, campaign_id, visit.form.text("spent", 300))
    return go(f"/campaigns/{campaign_id}", "campaign-spent")
