from wfops_pipelines import Policy, hubspot, instant, sync, table
from wfops_pipelines.assist import tidy


@sync(
    source=hubspot("crm", "/crm/v3/objects/contacts"),
    key="id",
    cursor="updated_at",
    destination=table("crm.contacts"),
    policy=Policy(critical_fields=("email",), false_holds=0.02, reviewers="revops"),
    schedule="*/15 * * * *",
    owners=["team:revops"],
    assist=(tidy("country", "country"), tidy("email", "email")),
)
def crm_contacts(page):
    """Contacts from the CRM, one row per person."""
    return [
        {
            "id": contact["id"],
            "email": contact["properties"]["email"],
            "first_name": contact["properties"]["firstname"],
            "last_name": contact["properties"]["lastname"],
            "company": contact["properties"]["company"],
            "lifecycle_stage": contact["properties"]["lifecyclestage"],
            "owner_id": contact["properties"]["hubspot_owner_id"],
            "country": contact["properties"]["country"],
            "phone": contact["properties"]["phone"],
            "created_at": instant(contact["createdAt"]),
            "updated_at": instant(contact["updatedAt"]),
        }
        for contact in page
    ]
